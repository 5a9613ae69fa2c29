/**
 * A repository that is read from mirrors first and written at its origin. A mirror never decides anything: what it
 * gives has the digest asked for, what it lacks or fails to give comes from the next place, and one that gave other
 * bytes is not asked again. Each place is a host of its own with its own credentials.
 */
import type { Digest } from '#base/brand';
import { equalBytes } from '#base/bytes';
import { hasher } from '#base/crypto';
import { fail, WaybillError } from '#base/reason';
import type { Descriptor, Manifest } from '#formats/oci';
import { R as Formats } from '#formats/oci-reasons';
import { R as Platform } from '#platform/reasons';
import type { Place } from './places.ts';
import { R } from './reasons.ts';
import { Repository } from './repository.ts';
import type { Content, Selector } from './source.ts';
import type { Wire } from './wire.ts';

export interface Mirror {
  readonly repository: Repository;
  readonly pull: Place['pull'];
}

/** Reads that pass by a mirror that could not be reached, before it is asked again. */
const PASSED_BY = 20;

export class MirroredRepository extends Repository {
  readonly #mirrors: readonly Mirror[];
  /** Reads still to pass by. */
  readonly #resting = new Map<Mirror, number>();

  constructor(wire: Wire, repository: string, mirrors: readonly Mirror[]) {
    super(wire, repository);
    this.#mirrors = mirrors;
  }

  override resolve(selector: Selector): Promise<Descriptor> {
    const kind = selector.digest === undefined ? 'tag-only' : 'digest-only';
    return this.#first(
      kind,
      (one) => one.resolve(selector),
      () => super.resolve(selector),
    );
  }

  override async manifest(digest: Digest): Promise<Manifest> {
    const kept = this.kept(digest);
    if (kept !== undefined) return kept;
    return this.#first(
      'digest-only',
      (one) => one.manifest(digest),
      () => super.manifest(digest),
    );
  }

  /** A mirror that lists nothing may only not know the API, or be behind. */
  override async referrers(digest: Digest): Promise<readonly Descriptor[]> {
    const asked = async (one: Repository): Promise<readonly Descriptor[]> => {
      const found = await one.referrers(digest);
      if (found.length > 0) return found;
      throw fail(R.notFound, { expected: `referrers of ${digest} at ${one.name}`, actual: 'none' });
    };
    try {
      return await this.#first('digest-only', asked, () => super.referrers(digest));
    } catch (error) {
      // The origin cannot be reached, and a mirror that can has none.
      if (codeOf(error) === R.notFound.code) return [];
      throw error;
    }
  }

  /**
   * When a mirror breaks off, the next place goes on, if it begins with the same bytes. If it does not, the reader has
   * bytes of another content: WB-188.
   */
  override async *blob(content: Content): AsyncIterable<Uint8Array> {
    let given: Given = { length: 0, hash: new Uint8Array() };
    const givers: Mirror[] = [];
    for (const mirror of this.#usable('digest-only')) {
      const reading = new Continued(mirror.repository.blob(content), given, content);
      try {
        yield* reading.rest();
        return;
      } catch (error) {
        this.#judge(mirror, error);
        if (reading.isOther) throw this.#distrusting(givers, error);
        const more = reading.given;
        if (more.length > given.length) givers.push(mirror);
        given = more;
      }
    }
    const reading = new Continued(super.blob(content), given, content);
    try {
      yield* reading.rest();
    } catch (error) {
      throw reading.isOther ? this.#distrusting(givers, error) : error;
    }
  }

  #distrusting(mirrors: readonly Mirror[], error: unknown): unknown {
    for (const one of mirrors) this.#resting.set(one, Number.POSITIVE_INFINITY);
    return error;
  }

  async #first<T>(
    kind: 'digest-only' | 'tag-only',
    ask: (repository: Repository) => Promise<T>,
    origin: () => Promise<T>,
  ): Promise<T> {
    let missing: unknown;
    for (const mirror of this.#usable(kind)) {
      try {
        return await ask(mirror.repository);
      } catch (error) {
        this.#judge(mirror, error);
        if (codeOf(error) === R.notFound.code) missing = error;
      }
    }
    try {
      return await origin();
    } catch (error) {
      // Behind a closed door a mirror's "not there" is the best answer there is.
      if (missing !== undefined && isUnreachable(error)) throw missing;
      throw error;
    }
  }

  #usable(kind: 'digest-only' | 'tag-only'): readonly Mirror[] {
    return this.#mirrors.filter((one) => {
      if (one.pull !== 'all' && one.pull !== kind) return false;
      const left = this.#resting.get(one) ?? 0;
      if (left > 0) this.#resting.set(one, left - 1);
      return left === 0;
    });
  }

  #judge(mirror: Mirror, error: unknown): void {
    if (!(error instanceof WaybillError)) throw error;
    if (error.reason.code === Formats.content.code) this.#resting.set(mirror, Number.POSITIVE_INFINITY);
    else if (isUnreachable(error)) this.#resting.set(mirror, PASSED_BY);
  }
}

/** Bytes a reader has already. */
interface Given {
  readonly length: number;
  readonly hash: Uint8Array;
}

/** A stream from its beginning for a reader who has the first bytes from elsewhere. */
class Continued {
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #before: Given;
  readonly #content: Content;
  readonly #running = hasher();
  #length = 0;
  /** It began with other bytes than the reader has. */
  isOther = false;

  constructor(body: AsyncIterable<Uint8Array>, before: Given, content: Content) {
    this.#body = body;
    this.#before = before;
    this.#content = content;
  }

  /** What the reader has when it ended: to be asked once, and only then. */
  get given(): Given {
    if (this.#length <= this.#before.length) return this.#before;
    return { length: this.#length, hash: this.#running.finish() };
  }

  async *rest(): AsyncIterable<Uint8Array> {
    const { length, hash } = this.#before;
    const begun = hasher();
    for await (const chunk of this.#body) {
      const known = chunk.subarray(0, Math.max(length - this.#length, 0));
      const rest = chunk.subarray(known.length);
      this.#running.update(chunk);
      this.#length += chunk.length;
      if (known.length > 0) {
        begun.update(known);
        if (this.#length >= length) this.#requireSame(begun.finish(), hash);
      }
      if (rest.length > 0) yield rest;
    }
  }

  #requireSame(actual: Uint8Array, expected: Uint8Array): void {
    if (equalBytes(actual, expected)) return;
    this.isOther = true;
    const { digest } = this.#content;
    throw fail(Formats.content, { expected: digest, actual: 'different bytes from two places' });
  }
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof WaybillError ? error.reason.code : undefined;

const isUnreachable = (error: unknown): boolean =>
  [Platform.network.code, Platform.timeout.code, R.busy.code, R.plainHttp.code].some(
    (code) => code === codeOf(error),
  );
