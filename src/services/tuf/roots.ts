/** Roots one after the other: each signed by the one before and by itself (TUF 5.3.4, 5.3.5). */
import { Metadata, MetadataKind, type Root } from '@tufjs/models';
import { fail } from '#base/reason';
import { parseJson } from '#formats/json';
import { R } from './reasons.ts';

type JsonOf = Parameters<typeof Metadata.fromJSON>[1];

/** Throws WB-1065 for what is no root. */
export function rootIn(bytes: Uint8Array): Metadata<Root> {
  const json = parseJson(bytes);
  if (!json.ok) throw fail(R.root, { expected: 'TUF root metadata', actual: json.error.actual });
  try {
    return Metadata.fromJSON(MetadataKind.Root, json.value as JsonOf);
  } catch (error) {
    const actual = error instanceof Error ? error.message : String(error);
    throw fail(R.root, { expected: 'TUF root metadata', actual }, error);
  }
}

/** The root in `bytes` when it follows `before`. Throws WB-1065 otherwise. */
export function followingRoot(before: Metadata<Root>, bytes: Uint8Array): Root {
  const next = rootIn(bytes);
  const wanted = before.signed.version + 1;
  if (next.signed.version !== wanted) {
    throw fail(R.root, { expected: `version ${wanted}`, actual: `version ${next.signed.version}` });
  }
  requireThreshold(before, next, `the keys of version ${before.signed.version}`);
  requireThreshold(next, next, 'its own keys');
  return next.signed;
}

function requireThreshold(by: Metadata<Root>, root: Metadata<Root>, whose: string): void {
  try {
    by.verifyDelegate('root', root);
  } catch (error) {
    const { threshold = 0, keyIDs = [] } = by.signed.roles['root'] ?? {};
    const expected = `${threshold} signatures by ${whose} (${keyIDs.length} there are)`;
    throw fail(R.root, { expected, actual: error instanceof Error ? error.message : String(error) }, error);
  }
}
