/** Client of the audit service: the answer parsed, nothing in it believed yet. */
import type { Digest } from '#base/brand';
import { fromBase64 } from '#base/bytes';
import { unwrap } from '#base/result';
import { type TransparencyLogEntry, tlogEntryFromJson } from '#formats/bundle';
import { type JsonReader, parseJson, reader } from '#formats/json';
import { ask, joinUrl, readAnswer, refused, type WireDeps } from './http.ts';
import { R } from './reasons.ts';

/** What is asked for: an entry must meet all that is given. */
export interface AuditQuery {
  readonly digest?: Digest;
  /** A name in the certificate, without regard to case. */
  readonly identity?: string;
  /** The OIDC issuer in the certificate. */
  readonly issuer?: string;
}

export interface AuditedEntry {
  readonly origin: string;
  readonly entry: TransparencyLogEntry;
  /** The signed bytes that are said to lie behind the entry. */
  readonly statement?: {
    readonly payloadType: string;
    readonly payload: Uint8Array;
    readonly seenIn: string;
  };
}

/** One page of an answer. */
export interface AuditAnswer {
  /** What it says it answers. */
  readonly query: { readonly [K in keyof AuditQuery]?: string };
  readonly entries: readonly AuditedEntry[];
  readonly truncated: boolean;
  /** Where to go on; present when there is more. */
  readonly next?: string;
  /** False while the service still reads what was attached before its start. */
  readonly settled: boolean;
  readonly coverage: readonly {
    readonly origin: string;
    readonly treeSize: number;
    readonly checkpoint: string;
  }[];
  readonly missing: readonly MissingLog[];
}

/** A log that is lost for good, as the service says: what it logged can be found by nobody. */
export interface MissingLog {
  readonly url: string;
  readonly logId: Uint8Array;
  /** When it was given up, milliseconds since the epoch. */
  readonly until: number;
  /** How many it had, where that is known. */
  readonly entries?: number;
}

const ANSWER_BYTES_MAX = 128 * 1024 * 1024;
const ANSWER_ENTRIES_MAX = 10_000;

/** Asks one audit service for one page. Throws WB-813, WB-814 or network reasons. */
export async function askAudit(
  base: string,
  query: AuditQuery,
  deps: WireDeps,
  after?: string,
): Promise<AuditAnswer> {
  const given = Object.entries({ ...query, after }).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  const url = `${joinUrl(base, '/api/v1/audit/search')}?${new URLSearchParams(given)}`;
  const answer = await ask(deps, { url, maxBytes: ANSWER_BYTES_MAX });
  if (answer.status !== 200) throw refused(R.answer, url, answer);
  return readAnswer(url, () =>
    readPage(reader(unwrap(parseJson(answer.body, { maxBytes: ANSWER_BYTES_MAX })), '$', { as: R.answer })),
  );
}

function readPage(json: JsonReader): AuditAnswer {
  const next = json.optionalString('next');
  return {
    query: Object.fromEntries(
      (['digest', 'identity', 'issuer'] as const).flatMap((field) => {
        const value = json.optionalString(field);
        return value === undefined ? [] : [[field, value]];
      }),
    ),
    entries: json.children('entries', ANSWER_ENTRIES_MAX).map(readEntry),
    truncated: json.boolean('truncated'),
    ...(next === undefined ? {} : { next }),
    settled: json.boolean('settled'),
    coverage: json.children('coverage', 64).map((item) => ({
      origin: item.text('origin'),
      treeSize: item.integer('treeSize'),
      checkpoint: item.text('checkpoint'),
    })),
    missing: json.has('missing') ? json.children('missing', 64).map(readMissing) : [],
  };
}

function readMissing(item: JsonReader): MissingLog {
  const entries = item.optionalInteger('entries');
  return {
    url: item.text('url'),
    logId: item.bytes('logId'),
    until: item.time('until'),
    ...(entries === undefined ? {} : { entries }),
  };
}

function readEntry(item: JsonReader): AuditedEntry {
  const entry = unwrap(tlogEntryFromJson(item.child('tlogEntry').object));
  const statement = item.optionalChild('statement');
  if (statement === undefined) return { origin: item.text('origin'), entry };
  return {
    origin: item.text('origin'),
    entry,
    statement: {
      payloadType: statement.text('payloadType'),
      payload: fromBase64(statement.text('payload')),
      seenIn: statement.optionalString('seenIn') ?? '',
    },
  };
}
