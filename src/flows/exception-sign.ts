/** Use cases: create an exception (first signature), approve it (second, by somebody else), revoke it. */
import { utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { digest } from '#base/digest';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { statementBytes } from '#formats/intoto';
import {
  type Approvers,
  EXCEPTION_V1,
  type Exception,
  exceptionReasons,
  exceptionStatement,
  isCurrent,
  REVOCATION_V1,
  readException,
} from '#policy';
import type { SignResult } from '#sign';
import { type Accepted, requireKeyless, withoutIdentityUnsafe } from '#verify';
import { type ExceptionFile, exceptionFileText, parseExceptionFile } from './exception-file.ts';
import { signerText, verifyException, verifySignature } from './exception-folder.ts';
import { R } from './exception-reasons.ts';
import { type SignImageDeps, signStatement } from './sign-image.ts';

export type ExceptionSignDeps = Pick<SignImageDeps, 'signer' | 'trustedRoot' | 'clock'>;

export interface SignedException {
  /** Of the file to write. */
  readonly text: string;
  /** SHA-256 of the statement, hex. */
  readonly id: string;
  readonly exception: Exception;
  /** Everybody who signed, this signer last. */
  readonly signers: readonly string[];
  readonly result: SignResult;
}

/** Signs the terms. Throws WB-750 for terms that cannot be used, WB-967 for a key, and what signing throws. */
export async function createException(
  terms: Exception,
  repository: string | undefined,
  deps: ExceptionSignDeps,
): Promise<SignedException> {
  unwrap(isCurrent(terms, deps.clock.now()));
  const statement = statementBytes(exceptionStatement(terms, repository));
  const result = await signStatement(statement, terms, deps);
  const by = personOf(result.verdict);
  const text = exceptionFileText('exception', [result.bundle]);
  const { signatures } = unwrap(parseExceptionFile(utf8(text)));
  return { text, id: signatures[0].id, exception: terms, signers: [by], result };
}

/**
 * Adds a signature over the same bytes. What is there already has to verify; with `approvers` the result has to
 * be approved by their rules. Throws WB-755 when it has ended and WB-967 for a second signature of one person.
 */
export async function approveFile(
  bytes: Uint8Array,
  approvers: Approvers | undefined,
  deps: ExceptionSignDeps,
): Promise<SignedException> {
  const file = unwrap(parseExceptionFile(bytes));
  const exception = unwrap(readException(file.claimed));
  unwrap(isCurrent(exception, deps.clock.now()));
  const before = verifiedSigners(file, approvers, deps);
  const [first] = file.signatures;
  const result = await signStatement(first.payload, exception, deps);
  const by = personOf(result.verdict);
  if (before.some((other) => sameName(other, result.verdict))) {
    throw fail(R.signer, { expected: `somebody else than ${by}`, actual: 'a second signature of the same' });
  }
  const text = exceptionFileText('exception', [
    first.json,
    ...file.signatures.slice(1).map(({ json }) => json),
    result.bundle,
  ]);
  if (approvers !== undefined) {
    const made = unwrap(parseExceptionFile(utf8(text)));
    unwrap(verifyException(made, { ...deps, approvers, nowMs: deps.clock.now() }));
  }
  return { text, id: first.id, exception, signers: [...before.map(signerText), by], result };
}

/** Nobody puts a name beside a signature that does not hold. */
function verifiedSigners(
  file: ExceptionFile,
  approvers: Approvers | undefined,
  { trustedRoot, clock }: ExceptionSignDeps,
): Accepted[] {
  const options = { predicateTypes: [EXCEPTION_V1] };
  const requirements = unwrap(
    approvers === undefined
      ? withoutIdentityUnsafe(options)
      : requireKeyless({ ...options, identities: approvers.identities }),
  );
  return file.signatures.map((signature) => {
    const [first] = file.signatures;
    if (signature.id !== first.id) {
      const detail = { expected: `the statement sha256:${first.id}`, actual: `sha256:${signature.id}` };
      throw fail(exceptionReasons.statement, detail);
    }
    const trust = { trustedRoot, nowMs: clock.now() };
    return unwrap(verifySignature(signature, file, requirements, trust));
  });
}

/** One address is one person, whoever vouches for it. */
function sameName(a: Accepted, b: Accepted): boolean {
  if (a.signer.kind !== 'certificate' || b.signer.kind !== 'certificate') return true;
  return a.signer.san.value.toLowerCase() === b.signer.san.value.toLowerCase();
}

function personOf(verdict: Accepted): string {
  if (verdict.signer.kind === 'certificate') return signerText(verdict);
  throw fail(R.signer, { expected: 'a certificate that names a person', actual: 'a bare key' });
}

export interface SignedRevocation {
  readonly text: string;
  readonly exception: Exception;
  readonly signer: string;
  readonly result: SignResult;
}

/** A signed revocation of an exception, whether it is approved or not. */
export async function revokeFile(
  bytes: Uint8Array,
  why: string,
  deps: ExceptionSignDeps,
): Promise<SignedRevocation> {
  const file = unwrap(parseExceptionFile(bytes));
  const exception = unwrap(readException(file.claimed));
  const sha256 = file.signatures[0].id;
  const statement = statementBytes({
    subject: [{ name: exception.name, digest: { sha256 } }],
    predicateType: REVOCATION_V1,
    predicate: { revokedAt: rfc3339(deps.clock.now()), reason: why },
  });
  const result = await signStatement(statement, { digest: digest(`sha256:${sha256}`) }, deps);
  const signer = personOf(result.verdict);
  return { text: exceptionFileText('revocation', [result.bundle]), exception, signer, result };
}
