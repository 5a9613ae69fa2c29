/** Two clients, one bundle: they agree, or a person has written down why not. */
import type { Digest } from '#base/brand';
import { reasonText } from '#base/reason';
import { parseBundle } from '#formats/bundle';
import { type Requirements, type TrustMaterial, type Verdict, verifyBundle } from '#verify';
import { type Disagreement, disagreements } from './disagreements.ts';

export interface Ours {
  readonly code: string;
  readonly text: string;
  readonly notes: readonly string[];
}

export function ourAnswer(
  bytes: Uint8Array,
  question: {
    readonly artifact: Uint8Array | Digest;
    readonly trustedRoot: TrustMaterial;
    readonly requirements: Requirements;
    readonly now: number;
  },
): Ours {
  const bundle = parseBundle(bytes);
  const verdict: Verdict = bundle.ok
    ? verifyBundle({ ...question, bundle: bundle.value })
    : { outcome: 'rejected', reason: bundle.error };
  if (verdict.outcome === 'accepted') {
    return { code: 'accepted', text: 'accepted', notes: verdict.notes.map(({ code }) => code) };
  }
  const why = verdict.outcome === 'rejected' ? verdict.reason : verdict.cause;
  return { code: why.code, text: reasonText(why), notes: [] };
}

/** What was compared, and which written disagreements were met. */
export class Comparison {
  readonly client: Disagreement['client'];
  readonly met = new Set<Disagreement>();
  readonly unexplained: string[] = [];
  agreed = { accepting: 0, refusing: 0 };

  constructor(client: Disagreement['client']) {
    this.client = client;
  }

  /** `theirs`: undefined when the other client accepts. `what`: the case, and for a mutant the change. */
  add(what: string, ours: Ours, theirs: string | undefined): void {
    const weAccept = ours.code === 'accepted';
    if (weAccept === (theirs === undefined)) {
      if (weAccept) this.agreed.accepting++;
      else this.agreed.refusing++;
      return;
    }
    const known = disagreements.find(
      (one) =>
        one.client === this.client &&
        one.weAccept === weAccept &&
        (weAccept || one.code === undefined || one.code === ours.code) &&
        (!weAccept || one.theirs === undefined || one.theirs.test(theirs ?? '')) &&
        (one.what === undefined || one.what.test(what)),
    );
    if (known !== undefined) this.met.add(known);
    else this.unexplained.push(`${what}: ours ${ours.text}; theirs ${theirs ?? 'accepted'}`);
  }
}
