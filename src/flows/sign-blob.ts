/**
 * Use case: sign files, or bytes of which only the digest is at hand. Of a file nothing is kept but its hash, so
 * it may be of any size. All are signed with one certificate, and nothing is given out that does not verify.
 */
import type { Digest } from '#base/brand';
import { defaultHash, type HashName, type KeyKind } from '#base/crypto';
import { digestAlgorithm, digestBytes, parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { isNonEmpty, unwrap } from '#base/result';
import { parseStatement, STATEMENT_V1, statementBytes } from '#formats/intoto';
import type { Signer, SignResult } from '#sign';
import { artifactFrom } from './blob-artifact.ts';
import type { Predicate } from './predicate.ts';
import { digestSet, type SignImageDeps, signStatement } from './sign-image.ts';
import { R } from './sign-reasons.ts';

/** A file as its name and content, or a digest of bytes that lie elsewhere. */
export type Blob =
  | { readonly kind: 'file'; readonly name: string; readonly content: () => AsyncIterable<Uint8Array> }
  | { readonly kind: 'digest'; readonly name: string; readonly digest: Digest };

export interface SignedBlob {
  readonly name: string;
  readonly digest: Digest;
  readonly result: SignResult;
}

/** Signs each, in order. `keyKind` is the kind of the signing key: it decides which hash is signed. */
export async function* signBlobs(
  blobs: readonly Blob[],
  keyKind: KeyKind,
  signer: Signer,
): AsyncGenerator<SignedBlob> {
  const algorithm = defaultHash(keyKind);
  // All are read before one is signed: a file that is not there costs no certificate and leaves no entry.
  const digests: Digest[] = [];
  for (const blob of blobs) digests.push(await digestUnder(blob, algorithm));
  for (const [at, blob] of blobs.entries()) {
    const digest = digests[at] as Digest;
    const value = digestBytes(digest);
    yield { name: blob.name, digest, result: await signer.sign({ kind: 'digest', algorithm, value }) };
  }
}

async function digestUnder(blob: Blob, algorithm: HashName): Promise<Digest> {
  if (blob.kind === 'file') return (await artifactFrom(blob.content(), algorithm, 0)).digest;
  if (digestAlgorithm(blob.digest) === algorithm) return blob.digest;
  throw fail(R.blobDigest, { expected: `a ${algorithm} digest for this key`, actual: blob.digest });
}

export interface AttestedBlobs {
  readonly subjects: readonly { readonly name: string; readonly digest: Digest }[];
  readonly predicateType: string;
  readonly result: SignResult;
}

/** One statement about all of them. Each subject is named by its SHA-256; a given digest stands as it is. */
export async function attestBlobs(
  blobs: readonly Blob[],
  predicate: Predicate,
  deps: Pick<SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>,
): Promise<AttestedBlobs> {
  const subjects: { name: string; digest: Digest }[] = [];
  for (const blob of blobs) {
    const digest =
      blob.kind === 'digest' ? blob.digest : (await artifactFrom(blob.content(), 'sha256', 0)).digest;
    subjects.push({ name: blob.name, digest });
  }
  const subject = subjects.map(({ name, digest }) => ({
    ...(name === '' ? {} : { name }),
    digest: digestSet(digest),
  }));
  if (!isNonEmpty(subject)) throw new Error('a statement about nothing');
  const statement = statementBytes({
    type: STATEMENT_V1,
    subject,
    predicateType: predicate.type,
    predicate: predicate.value,
  });
  return { subjects, predicateType: predicate.type, result: await signStatement(statement, subjects, deps) };
}

/** Signs a statement as it stands. Throws WB-951 when no subject has a digest that can be verified. */
export async function attestStatement(
  bytes: Uint8Array,
  deps: Pick<SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>,
): Promise<AttestedBlobs> {
  const { subject, predicateType } = unwrap(parseStatement(bytes));
  const subjects = subject.flatMap(({ name = '', digest }) => {
    const strongest = (['sha256', 'sha384', 'sha512'] as const).find((algorithm) =>
      Object.hasOwn(digest, algorithm),
    );
    const value = strongest === undefined ? undefined : parseDigest(`${strongest}:${digest[strongest]}`);
    return value?.ok === true ? [{ name, digest: value.value }] : [];
  });
  if (subjects.length === 0) {
    throw fail(R.statementSubject, { expected: 'a subject with a SHA-2 digest', actual: 'none' });
  }
  return { subjects, predicateType, result: await signStatement(bytes, subjects, deps) };
}
