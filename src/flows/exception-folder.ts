/**
 * Reads a folder of exceptions and revocations. Signatures are judged by the one verifier, who may approve by
 * the file of approvers. The webhook and `exception list` ask this same function; nothing here reaches a log.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import { err, isNonEmpty, ok, type Result, unwrap } from '#base/result';
import { readFileLimited } from '#platform/files';
import {
  type ApprovedException,
  type Approvers,
  approveException,
  EXCEPTION_V1,
  type Exception,
  type ExceptionSignature,
  exceptionReasons,
  type LoadedException,
  parseApprovers,
  REVOCATION_V1,
  readException,
  revokedId,
} from '#policy';
import { type Accepted, type Requirements, requireKeyless, type TrustMaterial, verifyBundle } from '#verify';
import { type ExceptionFile, type FileSignature, parseExceptionFile } from './exception-file.ts';
import { R } from './exception-reasons.ts';

export interface ExceptionTrust {
  readonly trustedRoot: TrustMaterial;
  readonly approvers: Approvers;
  readonly nowMs: number;
}

/** Throws WB-209 (unreadable), WB-751 or the place of the mistake. */
export async function loadApprovers(file: string): Promise<Approvers> {
  return unwrap(parseApprovers(utf8Text(await readFileLimited(file, limits.exceptionBytes)), file));
}

/** Every `*.json` of the folder but revocations, in the order of names. Throws WB-964. */
export async function loadExceptions(dir: string, trust: ExceptionTrust): Promise<LoadedException[]> {
  const names = await listJson(dir);
  const read = await Promise.all(names.map(async (name) => ({ name, file: await readOne(join(dir, name)) })));
  const revoked = new Map<string, string>();
  for (const { name, file } of read) {
    if (file.ok && file.value.kind === 'revocation') noteRevocation(name, file.value, trust, revoked);
  }
  return read.flatMap(({ name, file }): LoadedException[] => {
    if (!file.ok) return [{ file: name, state: 'refused', reason: file.error }];
    return file.value.kind === 'revocation' ? [] : [loadOne(name, file.value, trust, revoked)];
  });
}

async function listJson(dir: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    const actual = (error as NodeJS.ErrnoException).code ?? String(error);
    throw fail(R.folder, { expected: `a folder ${dir}`, actual }, error);
  }
  const files = names.filter((name) => name.endsWith('.json')).sort();
  if (files.length <= limits.exceptionFiles) return files;
  throw fail(R.folder, { expected: `at most ${limits.exceptionFiles} files`, actual: `${files.length}` });
}

async function readOne(path: string): Promise<Result<ExceptionFile>> {
  try {
    return parseExceptionFile(await readFileLimited(path, limits.exceptionBytes));
  } catch (error) {
    if (error instanceof WaybillError) return err(error.reason);
    throw error;
  }
}

function loadOne(
  file: string,
  parsed: ExceptionFile,
  trust: ExceptionTrust,
  revoked: ReadonlyMap<string, string>,
): LoadedException {
  const terms = readException(parsed.claimed);
  const claims = terms.ok ? { claims: terms.value } : {};
  const approved = verifyException(parsed, trust);
  if (!approved.ok) return { file, state: 'refused', reason: approved.error, ...claims };
  const by = revoked.get(approved.value.id);
  if (by === undefined) return { file, state: 'approved', exception: approved.value };
  return { file, state: 'refused', reason: revokedBy(approved.value, by), ...claims };
}

const revokedBy = ({ name }: Exception, by: string): Reason =>
  reason(exceptionReasons.revoked, { expected: `${name} not to be revoked`, actual: by });

/** Verifies every signature and asks for two people. WB-3xx, WB-75x. */
export function verifyException(file: ExceptionFile, trust: ExceptionTrust): Result<ApprovedException> {
  const signatures: ExceptionSignature[] = [];
  for (const signature of file.signatures) {
    const accepted = verifySignature(signature, file, requirementsOf(trust, EXCEPTION_V1), trust);
    if (!accepted.ok) return accepted;
    signatures.push({ id: signature.id, accepted: accepted.value });
  }
  return approveException(signatures, trust.approvers);
}

const requirementsOf = ({ approvers }: ExceptionTrust, type: string): Requirements =>
  unwrap(requireKeyless({ identities: approvers.identities, predicateTypes: [type] }));

/** One signature of a file before the verifier. */
export function verifySignature(
  { bundle }: FileSignature,
  { subject }: ExceptionFile,
  requirements: Requirements,
  { trustedRoot, nowMs }: Pick<ExceptionTrust, 'trustedRoot' | 'nowMs'>,
): Result<Accepted> {
  const verdict = verifyBundle({ artifact: subject, bundle, trustedRoot, requirements, now: nowMs });
  if (verdict.outcome === 'accepted') return ok(verdict);
  return err(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}

/**
 * A revocation that does not verify ends the exception it names all the same: who can write to this folder can
 * take the exception out of it as well, and the mistake to avoid is to go on admitting.
 */
function noteRevocation(
  name: string,
  file: ExceptionFile,
  trust: ExceptionTrust,
  revoked: Map<string, string>,
): void {
  const id = revokedId(file.claimed);
  if (!id.ok) return;
  const requirements = requirementsOf(trust, REVOCATION_V1);
  const verdicts = file.signatures.map((one) => verifySignature(one, file, requirements, trust));
  const signers = verdicts.flatMap((verdict) => (verdict.ok ? [signerText(verdict.value)] : []));
  const by = isNonEmpty(signers) ? signers.join(', ') : 'a signature that does not verify';
  revoked.set(id.value, `${name} by ${by}`);
}

export const signerText = ({ signer }: Accepted): string =>
  signer.kind === 'certificate' ? `${signer.san.value} (${signer.issuer})` : 'a key';
