/**
 * Where an image is read from, when that is not where its name points. Policies match the canonical name, and
 * the Pod keeps it; only the bytes come from the mirror, and they are checked by digest.
 */
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface MirrorRule {
  /** `ghcr.io/acme/*` (everything below) or one repository. */
  readonly from: string;
  readonly to: string;
}

/** Repository name → repository name to read from; the longest matching rule wins. */
export type MirrorMap = (repository: string) => string;

/** A repository name, or one with `/*` behind it. */
const sideForm = /^[^*?\s/]+(?:\/[^*?\s/]+)*(?:\/\*)?$/;

/** Throws WB-802. */
export function mirrorMap(rules: readonly MirrorRule[]): MirrorMap {
  for (const rule of rules) {
    const isPrefix = rule.from.endsWith('/*');
    const isUsable =
      isPrefix === rule.to.endsWith('/*') && [rule.from, rule.to].every((side) => sideForm.test(side));
    if (!isUsable) {
      throw fail(R.mirror, { expected: 'FROM/*=TO/* or FROM=TO', actual: `${rule.from}=${rule.to}` });
    }
  }
  const ordered = [...rules].sort((a, b) => b.from.length - a.from.length);
  return (repository) => {
    for (const { from, to } of ordered) {
      if (!from.endsWith('/*')) {
        if (repository === from) return to;
        continue;
      }
      const prefix = from.slice(0, -1);
      if (repository.startsWith(prefix)) return `${to.slice(0, -1)}${repository.slice(prefix.length)}`;
    }
    return repository;
  };
}

/** `FROM=TO`. Throws WB-802. */
export function parseMirrorRule(text: string): MirrorRule {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { from: text.slice(0, at), to: text.slice(at + 1) };
  throw fail(R.mirror, { expected: 'FROM=TO', actual: JSON.stringify(text) });
}
