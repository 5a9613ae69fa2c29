/** A request to the registry after its path was understood. */
import type { Digest } from '#base/brand';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import type { HttpReply, HttpRequestIn } from '#platform/http-server';
import type { Action } from './config.ts';
import { R } from './reasons.ts';

/** One parsed request. */
export interface Call {
  readonly request: HttpRequestIn;
  readonly reply: HttpReply;
  readonly method: string;
  readonly repo: string;
  /** What follows the repository: a digest, tag, session id; '' when nothing does. */
  readonly rest: string;
  readonly query: URLSearchParams;
  /**
   * Throws unless the caller may do this in the repository of the path. When it resolves, the store shows everything
   * acknowledged before: strangers make no machine ask the bucket.
   */
  readonly require: (action: Action) => Promise<void>;
  /** The same as a question. */
  readonly allows: (action: Action, repository: string) => boolean;
}

export type Handler = (call: Call) => Promise<unknown>;

export interface Route {
  readonly resource: 'manifests' | 'blobs' | 'blobs/uploads' | 'tags' | 'referrers';
  readonly methods: readonly string[];
  readonly handle: Handler;
}

/** A digest from a path or query; WB-1081 otherwise. */
export function pathDigest(text: string): Digest {
  const parsed = parseDigest(text);
  if (!parsed.ok) throw fail(R.digest, parsed.error);
  return parsed.value;
}
