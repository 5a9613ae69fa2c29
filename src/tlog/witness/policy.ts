/**
 * Which witnesses a checkpoint needs, in the line format of c2sp.org/tlog-policy:
 *
 *     log <verifier key> [<url>]
 *     witness <name> <verifier key> [<url>]
 *     group <name> <number|any|all> <name>…
 *     quorum <name|none>
 *
 * A name stands before it is used, so groups cannot contain each other. `#` starts a comment.
 */
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { parseVerifierKey, type VerifierKey } from '#formats/cosignature';
import { R } from '../reasons.ts';

export interface PolicyWitness {
  /** As the policy calls it. */
  readonly name: string;
  readonly key: VerifierKey;
  /** Prefix of its submission API. */
  readonly url: string | undefined;
}

export interface WitnessPolicy {
  readonly logs: readonly VerifierKey[];
  readonly witnesses: readonly PolicyWitness[];
  /** The name of the quorum, for messages. */
  readonly quorum: string;
  /** Whether the cosignatures of these witnesses (by policy name) are enough. */
  isMet(cosigned: ReadonlySet<string>): boolean;
}

/** A policy names at most this many witnesses. */
const WITNESSES_MAX = 64;

type Need = (cosigned: ReadonlySet<string>) => boolean;

/** Parses a policy file. Fails with WB-414 naming the line. */
export function parseWitnessPolicy(text: string): Result<WitnessPolicy> {
  return attempt(() => {
    const reading = new Reading();
    for (const [i, line] of text.split('\n').entries()) {
      const words = line.replace(/#.*$/, '').split(/\s+/).filter(Boolean);
      if (words.length > 0) reading.line(words, i + 1);
    }
    return reading.done();
  });
}

class Reading {
  readonly #logs: VerifierKey[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #needs = new Map<string, Need>();
  #quorum: string | undefined;
  #at = 0;

  line([word = '', ...rest]: readonly string[], at: number): void {
    this.#at = at;
    if (this.#quorum !== undefined && word === 'quorum') throw this.#bad('one quorum line', 'another');
    if (word === 'log') this.#log(rest);
    else if (word === 'witness') this.#witness(rest);
    else if (word === 'group') this.#group(rest);
    else if (word === 'quorum') this.#setQuorum(rest);
    else throw this.#bad('log, witness, group or quorum', JSON.stringify(word));
  }

  #log([key = '', url, ...more]: readonly string[]): void {
    this.#end(more);
    if (url !== undefined) this.#url(url);
    this.#logs.push(this.#key(key, 'log'));
  }

  #witness([name = '', key = '', url, ...more]: readonly string[]): void {
    this.#end(more);
    const witness = {
      name,
      key: this.#key(key, 'witness'),
      url: url === undefined ? undefined : this.#url(url),
    };
    this.#define(name, (cosigned) => cosigned.has(name));
    this.#witnesses.push(witness);
    if (this.#witnesses.length > WITNESSES_MAX) throw this.#bad(`at most ${WITNESSES_MAX} witnesses`, 'more');
  }

  #group([name = '', count = '', ...members]: readonly string[]): void {
    const needs = members.map((member) => this.#need(member));
    if (new Set(members).size !== members.length) throw this.#bad('each member once', members.join(' '));
    const number = count === 'any' ? 1 : count === 'all' ? members.length : Number(count);
    const isNumber = count === 'any' || count === 'all' || /^[1-9][0-9]{0,2}$/.test(count);
    if (!isNumber || members.length === 0 || number > members.length) {
      throw this.#bad(`any, all or 1 to ${members.length} of the members`, `${count} of ${members.length}`);
    }
    this.#define(name, (cosigned) => needs.filter((need) => need(cosigned)).length >= number);
  }

  #setQuorum([name = '', ...more]: readonly string[]): void {
    this.#end(more);
    if (name !== 'none') this.#need(name);
    this.#quorum = name;
  }

  #define(name: string, need: Need): void {
    if (name === 'none' || name === '' || this.#needs.has(name)) {
      throw this.#bad('a name that is not taken', JSON.stringify(name));
    }
    this.#needs.set(name, need);
  }

  #need(name: string): Need {
    const need = this.#needs.get(name);
    if (need === undefined) throw this.#bad('a witness or group named above', JSON.stringify(name));
    return need;
  }

  #key(text: string, kind: VerifierKey['kind']): VerifierKey {
    const key = unwrap(parseVerifierKey(text));
    if (key.kind !== kind) throw this.#bad(`the key of a ${kind}`, `the key of a ${key.kind}`);
    return key;
  }

  #url(text: string): string {
    if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/$/, '');
    throw this.#bad('an http or https URL', JSON.stringify(text));
  }

  #end(more: readonly string[]): void {
    if (more.length > 0) throw this.#bad('the end of the line', JSON.stringify(more.join(' ')));
  }

  #bad(expected: string, actual: string): Error {
    return fail(R.policy, { expected: `line ${this.#at}: ${expected}`, actual });
  }

  done(): WitnessPolicy {
    const quorum = this.#quorum;
    // A policy without a quorum would be met by nobody in particular.
    if (quorum === undefined) throw fail(R.policy, { expected: 'a quorum line', actual: 'none' });
    const need = this.#needs.get(quorum) ?? (() => true);
    return { logs: this.#logs, witnesses: this.#witnesses, quorum, isMet: need };
  }
}
