/** Images in a stack, signed in every form, and what is asked about them afterwards. */
import type { Digest } from '#base/brand';
import { attestImage } from '#flows/attest-image';
import { type AuditQuery, type Lineage, searchLogs } from '#flows/lineage';
import { type SignatureFormat, signImage } from '#flows/sign-image';
import type { Stack } from '#stack';
import { trustMaterial } from '#verify';
import { putImage, quickRegistry, repositoryAt } from '../oci/helpers.ts';
import { personSigner, trustedRootOf, wire } from '../stack/helper.ts';

export interface StackImage {
  /** `host/name@digest` */
  readonly reference: string;
  readonly digest: Digest;
}

export async function pushedImage(stack: Stack, name: string): Promise<StackImage> {
  const { digest } = await putImage(repositoryAt(stack.registryHost, name), name);
  return { reference: `${stack.registryHost}/${name}@${digest}`, digest };
}

async function depsOf(stack: Stack, logVersion: 1 | 2, email?: string) {
  return {
    registry: quickRegistry({ allowHttp: true }),
    signer: await personSigner(stack, logVersion, email),
    trustedRoot: trustMaterial(trustedRootOf(stack)),
    clock: wire.clock,
  };
}

export async function signed(
  stack: Stack,
  image: StackImage,
  format: SignatureFormat,
  options: { readonly logVersion?: 1 | 2; readonly email?: string } = {},
): Promise<void> {
  const deps = await depsOf(stack, options.logVersion ?? 1, options.email);
  await signImage(image.reference, { format, annotations: {}, recursive: false }, deps);
}

export async function attested(stack: Stack, image: StackImage, logVersion: 1 | 2 = 1): Promise<void> {
  const predicate = { type: 'https://example.com/predicate/v1', value: { log: logVersion } };
  await attestImage(image.reference, predicate, 'bundle', await depsOf(stack, logVersion));
}

export function asked(stack: Stack, query: AuditQuery): Promise<Lineage> {
  const trustedRoot = trustMaterial(trustedRootOf(stack));
  return searchLogs(query, { ...wire, auditUrl: stack.origins.audit, trustedRoot });
}

/** What of an answer must survive the registry and a restart. */
export const essence = (lineage: Lineage): object => ({
  steps: lineage.steps.map(({ origin, logIndex, digests, at, verdict }) => ({
    origin,
    logIndex,
    digests,
    at,
    statement: verdict.statement,
    plain: verdict.simpleSigning,
  })),
  unproven: lineage.unproven.map(({ origin, logIndex }) => [origin, logIndex]),
});
