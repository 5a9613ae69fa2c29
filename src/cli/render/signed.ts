/** What was signed, for people and for machines. */
import { toBase64, utf8Text } from '#base/bytes';
import type { AttestedImage } from '#flows/attest-image';
import type { AttestedBlobs, SignedBlob } from '#flows/sign-blob';
import type { SignedImage } from '#flows/sign-image';
import type { SignResult } from '#sign';
import { plainLines } from './plain.ts';

/** Said whenever only the new layout was written: the readers that look elsewhere. */
export const readersThatMiss =
  'note: bundle layout only. Not seen by cosign before 2.6, Kyverno type Cosign, podman and skopeo; --format both serves them.';

/** `withBundle`: for results that are written nowhere else. */
function resultJson(result: SignResult, withBundle = false): object {
  const { signer } = result.verdict;
  return {
    ...(withBundle ? { bundle: JSON.parse(utf8Text(result.bundle)) as object } : {}),
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

export const signedJson = (signed: SignedImage, withBundle = false): object => ({
  image: signed.pinned,
  given: signed.given,
  attached: signed.attached,
  signatures: signed.results.map((result) => resultJson(result, withBundle)),
  // The document a legacy signature is over.
  ...(withBundle && signed.payload !== undefined ? { payload: toBase64(signed.payload) } : {}),
});

export const attestedJson = (attested: AttestedImage, withBundle = false): object => ({
  image: attested.pinned,
  given: attested.given,
  predicateType: attested.predicateType,
  attached: attested.attached,
  signature: resultJson(attested.result, withBundle),
});

function signerText(result: SignResult | undefined): string {
  const signer = result?.verdict.signer;
  if (signer === undefined || signer.kind === 'key') return 'a key';
  return `${signer.san.value} (${signer.issuer})`;
}

function entriesText(results: readonly SignResult[]): string {
  const indexes = results.flatMap((result) => result.entries.map((entry) => String(entry.logIndex)));
  return indexes.length === 0 ? 'nowhere' : indexes.join(', ');
}

export function renderSigned(all: readonly SignedImage[]): string {
  return all
    .map((signed) =>
      plainLines([
        `signed   ${signed.pinned}`,
        `  as     ${signerText(signed.results[0])}`,
        `  logged ${entriesText(signed.results)}`,
        ...signed.attached.map((place) => `  stored ${place}`),
      ]),
    )
    .join('\n');
}

export function renderAttested(attested: AttestedImage): string {
  return plainLines([
    `attested ${attested.pinned}`,
    `  type   ${attested.predicateType}`,
    `  as     ${signerText(attested.result)}`,
    `  logged ${entriesText([attested.result])}`,
    ...attested.attached.map((place) => `  stored ${place}`),
  ]);
}

/** Where a file's bundle went; `-` is standard output. */
type PlacedBlob = SignedBlob & { readonly place: string };

export const signedBlobJson = ({ name, digest, place, result }: PlacedBlob): object => ({
  file: name === '' ? null : name,
  digest,
  ...fileOf(place),
  signature: resultJson(result, place === '-'),
});

const fileOf = (place: string): object => (place === '-' ? {} : { bundleFile: place });

export const attestedBlobsJson = (attested: AttestedBlobs, place: string): object => ({
  subjects: attested.subjects.map(({ name, digest }) => ({ name: name === '' ? null : name, digest })),
  predicateType: attested.predicateType,
  ...fileOf(place),
  signature: resultJson(attested.result, place === '-'),
});

export function renderSignedBlobs(all: readonly PlacedBlob[]): string {
  return all
    .map(({ name, digest, place, result }) =>
      plainLines([
        `signed   ${name === '' ? digest : `${name} (${digest})`}`,
        `  as     ${signerText(result)}`,
        `  logged ${entriesText([result])}`,
        `  bundle ${place}`,
      ]),
    )
    .join('\n');
}

export function renderAttestedBlobs(attested: AttestedBlobs, place: string): string {
  return plainLines([
    ...attested.subjects.map(
      ({ name, digest }) => `attested ${name === '' ? digest : `${name} (${digest})`}`,
    ),
    `  type   ${attested.predicateType}`,
    `  as     ${signerText(attested.result)}`,
    `  logged ${entriesText([attested.result])}`,
    `  bundle ${place}`,
  ]);
}
