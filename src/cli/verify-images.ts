/** Verifies several images: in order, all of them, one failure never hiding another. */
import { type Reason, WaybillError } from '#base/reason';
import type { VerifiedImage, VerifyImageQuestion } from '#flows/verify-image';
import type { CliContext } from './context.ts';
import { type RegistryFlags, registryFrom } from './registry-options.ts';
import { renderReason } from './render/reason.ts';
import { renderVerified, verifiedJson } from './render/verified.ts';
import { loadTrustFor, type TrustFlags } from './trust-options.ts';

type Outcome = { readonly image: string } & (
  | { readonly ok: true; readonly verified: VerifiedImage }
  | { readonly ok: false; readonly reason: Reason }
);

export async function verifyAll(
  images: readonly string[],
  question: VerifyImageQuestion,
  flags: TrustFlags & RegistryFlags,
  context: CliContext,
): Promise<void> {
  const [{ verifyImage }, { trustMaterial }, trust] = await Promise.all([
    import('#flows/verify-image'),
    import('#verify'),
    loadTrustFor(flags, context),
  ]);
  const cosignRepository = context.env['COSIGN_REPOSITORY'];
  const registry = await registryFrom(flags, context, images);
  const material = trustMaterial(trust.trustedRoot);
  const outcomes = await Promise.all(
    images.map(async (image): Promise<Outcome> => {
      try {
        const deps = {
          registry,
          trust: { material, hash: trust.trustedRootSha256 },
          clock: context.clock,
          ...(cosignRepository === undefined ? {} : { cosignRepository }),
        };
        return { image, ok: true, verified: await verifyImage(image, question, deps) };
      } catch (error) {
        if (error instanceof WaybillError) return { image, ok: false, reason: error.reason };
        throw error;
      }
    }),
  );
  const failed = outcomes.filter((outcome) => !outcome.ok);
  const value = {
    ok: failed.length === 0,
    trustedRoot: { origin: trust.origin, sha256: trust.trustedRootSha256 },
    images: outcomes.map((outcome) =>
      outcome.ok
        ? { ok: true, ...verifiedJson(outcome.verified) }
        : { ok: false, given: outcome.image, reason: outcome.reason },
    ),
  };
  const accepted = outcomes.flatMap((outcome) => (outcome.ok ? [renderVerified(outcome.verified)] : []));
  if (context.json || accepted.length > 0) {
    context.result(
      `waybill.dev/verify${question.kind === 'attestation' ? '-attestation' : ''}/v1`,
      value,
      () => accepted.join('\n'),
    );
  }
  for (const outcome of failed) {
    context.stderr(`${outcome.image}\n${renderReason(outcome.reason, context.useColor)}`);
  }
  const [first] = failed;
  if (first !== undefined) context.exit(first.reason.exit);
}
