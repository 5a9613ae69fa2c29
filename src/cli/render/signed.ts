/** What was signed, for people and for machines. */
import type { AttestedImage } from '#flows/attest-image';
import type { SignedImage } from '#flows/sign-image';
import type { SignResult } from '#sign';

/** Said whenever only the new layout was written: the readers that look elsewhere. */
export const readersThatMiss =
  'note: bundle layout only. Not seen by cosign before 2.6, Kyverno type Cosign, podman and skopeo; --format both serves them.';

function resultJson(result: SignResult): object {
  const { signer } = result.verdict;
  return {
    signer:
      signer.kind === 'certificate'
        ? { kind: 'certificate', issuer: signer.issuer, identity: signer.san.value }
        : { kind: 'key' },
    logEntries: result.entries.map((entry) => ({
      logIndex: entry.logIndex,
      kind: entry.kind,
      version: entry.version,
      integratedTime: entry.integratedTime === 0 ? null : entry.integratedTime,
    })),
  };
}

export const signedJson = (signed: SignedImage): object => ({
  image: signed.pinned,
  given: signed.given,
  attached: signed.attached,
  signatures: signed.results.map(resultJson),
});

export const attestedJson = (attested: AttestedImage): object => ({
  image: attested.pinned,
  given: attested.given,
  predicateType: attested.predicateType,
  attached: attested.attached,
  signature: resultJson(attested.result),
});

function signerText(result: SignResult | undefined): string {
  const signer = result?.verdict.signer;
  if (signer === undefined || signer.kind === 'key') return 'a key';
  return `${signer.san.value} (${signer.issuer})`;
}

function entriesText(results: readonly SignResult[]): string {
  return results.flatMap((result) => result.entries.map((entry) => String(entry.logIndex))).join(', ');
}

export function renderSigned(all: readonly SignedImage[]): string {
  return all
    .map((signed) =>
      [
        `signed   ${signed.pinned}`,
        `  as     ${signerText(signed.results[0])}`,
        `  logged ${entriesText(signed.results)}`,
        ...signed.attached.map((place) => `  stored ${place}`),
      ].join('\n'),
    )
    .join('\n');
}

export function renderAttested(attested: AttestedImage): string {
  return [
    `attested ${attested.pinned}`,
    `  type   ${attested.predicateType}`,
    `  as     ${signerText(attested.result)}`,
    `  logged ${entriesText([attested.result])}`,
    ...attested.attached.map((place) => `  stored ${place}`),
  ].join('\n');
}
