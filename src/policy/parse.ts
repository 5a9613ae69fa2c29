/** Policy text of any dialect → a `PolicySet`. Pure; every refusal names file, line and column. */
import { toHex, utf8 } from '#base/bytes';
import { sha256 } from '#base/crypto';
import { reason } from '#base/reason';
import { attempt, err, isNonEmpty, ok, type Result } from '#base/result';
import { jsonText } from './condition/functions-standard.ts';
import { positionText, readYaml, required, type YamlNode } from './document.ts';
import type { Policy, PolicySet } from './ir.ts';
import { readKyvernoPolicy } from './kyverno/policy.ts';
import { R } from './reasons.ts';
import { readClusterImagePolicy } from './sigstore/image-policy.ts';

export interface PolicyFile {
  /** For messages. */
  readonly file: string;
  readonly text: string;
}

/** Every policy of one file. WB-720…WB-732. */
export function parsePolicies(text: string, file = 'policy'): Result<PolicySet> {
  return parsePolicyFiles([{ file, text }]);
}

/** Every policy of several files as one set; names must differ. */
export function parsePolicyFiles(files: readonly PolicyFile[]): Result<PolicySet> {
  const read = attempt(() => files.flatMap(({ text, file }) => readYaml(text, file).map(readPolicy)));
  if (!read.ok) return read;
  const policies = read.value;
  if (!isNonEmpty(policies)) {
    const actual = files.map(({ file }) => file).join(', ') || 'no files';
    return err(reason(R.none, { expected: 'at least one policy', actual }));
  }
  const seen = new Map<string, Policy>();
  for (const policy of policies) {
    const key = `${policy.dialect}/${policy.namespace ?? ''}/${policy.name}`;
    const before = seen.get(key);
    if (before !== undefined) {
      const actual = `${policy.name} at ${positionText(before.position)} and ${positionText(policy.position)}`;
      return err(reason(R.duplicate, { expected: 'policy names that differ', actual }));
    }
    seen.set(key, policy);
  }
  return ok({ policies, hash: hashOf(policies) });
}

/** Over the documents as read, so that a change of a comment does not empty the cache of facts. */
function hashOf(policies: readonly Policy[]): string {
  return toHex(sha256(utf8(policies.map((policy) => jsonText(policy.source)).join('\n'))));
}

function readPolicy(document: YamlNode): Policy {
  const fields = document.anyFields();
  const apiVersion = required(document, fields, 'apiVersion');
  const kind = required(document, fields, 'kind');
  const what = `${apiVersion.text()} ${kind.text()}`;
  if (/^kyverno\.io\/v1 (?:Cluster)?Policy$/.test(what)) return readKyvernoPolicy(document);
  if (/^policy\.sigstore\.dev\/v1(?:beta1|alpha1) ClusterImagePolicy$/.test(what)) {
    return readClusterImagePolicy(document);
  }
  const expected =
    'kyverno.io/v1 ClusterPolicy or Policy, or policy.sigstore.dev/v1beta1 or v1alpha1 ClusterImagePolicy';
  throw kind.refusal(R.kind, expected, what);
}
