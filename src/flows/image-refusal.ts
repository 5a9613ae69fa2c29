/** Why no signature or attestation of an image was accepted: the nearest of all refusals, with what helps. */
import { nearestWord } from '#base/nearest';
import { fail, type Reason, WaybillError } from '#base/reason';
import { type Requirements, verifyReasons } from '#verify';
import { R } from './reasons.ts';

/** Exit codes in the order of "how near was it": an identity is the last thing checked. */
const nearness = [14, 15, 13, 12, 16];

export interface AskedThere {
  readonly kind: 'signature' | 'attestation';
  readonly requirements: Requirements;
}

export interface FoundThere {
  /** Items attached, of whatever type. */
  readonly count: number;
  /** Nothing is attached, and the image is an index: it may be to its platforms. */
  readonly isIndex: boolean;
}

export function imageRefusal(
  question: AskedThere,
  pinned: string,
  refused: readonly Reason[],
  found: FoundThere,
): WaybillError {
  const rank = (why: Reason): number => {
    const at = nearness.indexOf(why.exit);
    return at < 0 ? nearness.length : at;
  };
  const [nearest] = refused.toSorted((a, b) => rank(a) - rank(b));
  if (nearest === undefined) return nothingThere(question, pinned, found);
  const more = refused.length > 1 ? ` (nearest of ${refused.length} on ${pinned})` : ` on ${pinned}`;
  const shown = nearestIdentity(nearest, refused);
  return new WaybillError({ ...shown, actual: `${shown.actual}${more}` });
}

function nothingThere(
  { kind, requirements: { predicate } }: AskedThere,
  pinned: string,
  found: FoundThere,
): WaybillError {
  const actual = found.count === 0 ? 'none is attached' : `${found.count} attached, none of that type`;
  const hint = found.isIndex
    ? { hint: 'this is an index of platforms: ask about one with --platform linux/amd64, or sign the index' }
    : {};
  const type = predicate.kind === 'anyOf' ? ` of type ${predicate.types.join(' or ')}` : '';
  return kind === 'signature'
    ? fail(R.noSignature, { expected: `a signature on ${pinned}`, actual, ...hint })
    : fail(R.noAttestation, { expected: `an attestation${type} on ${pinned}`, actual, ...hint });
}

/** Two names of one organisation differ by little: more edits than these are another name, no slip. */
const SLIPS_MAX = 2;

/** Of several signers who are not the one asked for, the one whose name looks most like it; a slip also as a hint. */
function nearestIdentity(nearest: Reason, refused: readonly Reason[]): Reason {
  if (nearest.code !== verifyReasons.san.code && nearest.code !== verifyReasons.issuer.code) return nearest;
  const same = refused.filter(({ code }) => code === nearest.code);
  const names = new Map(same.map((why) => [nameIn(why.actual), why]));
  const wanted = nameIn(nearest.expected);
  const like = nearestWord(wanted, [...names.keys()], Math.max(wanted.length, SLIPS_MAX));
  const chosen = names.get(like ?? '') ?? nearest;
  const close = nearestWord(wanted, [...names.keys()], slipsIn(wanted));
  if (close === undefined) return chosen;
  const what = nearest.code === verifyReasons.san.code ? 'identity' : 'oidc-issuer';
  return { ...chosen, hint: `did you mean --certificate-${what} ${JSON.stringify(close)}? ${chosen.hint}` };
}

/** Fewer in a short name, so that `al@` is not taken for `ed@`. */
function slipsIn(wanted: string): number {
  const [own = ''] = wanted.split('@');
  return Math.min(SLIPS_MAX, Math.ceil(own.length / 2));
}

/** The quoted part of `email "ada@example.com"`. */
function nameIn(text: string): string {
  return /"(.*)"/s.exec(text)?.[1] ?? text;
}
