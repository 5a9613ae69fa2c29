/** The pieces with which somebody signs at a stack and reads what it publishes. */
import { unwrap } from '#base/result';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { parseSigningConfig } from '#formats/signing-config';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, type SignContent, type Signer, type SignerOptions, servicesFrom } from '#sign';
import type { Stack } from '#stack';

export const wire = { transport: httpTransport(), clock: systemClock, random: systemRandom };

export const trustedRootOf = (stack: Stack): TrustedRoot =>
  unwrap(parseTrustedRoot(stack.published.trustedRoot));

export function signerOf(
  stack: Stack,
  identity: SignerOptions['identity'],
  options: { readonly logVersion?: 1 | 2 } & Partial<SignerOptions> = {},
): Signer {
  const { signingConfig, signingConfigV2 } = stack.published;
  const config = unwrap(parseSigningConfig(options.logVersion === 2 ? signingConfigV2 : signingConfig));
  const services = servicesFrom(config, { now: systemClock.now(), random: systemRandom });
  return createSigner({ ...wire, identity, services, trustedRoot: trustedRootOf(stack), ...options });
}

export const ada = 'ada@example.com';

/** A signer for a person at the development issuer. */
export async function personSigner(stack: Stack, logVersion: 1 | 2 = 1, email = ada): Promise<Signer> {
  return signerOf(stack, { kind: 'token', token: () => stack.mint({ sub: email, email }) }, { logVersion });
}

export const message = (text: string): SignContent => ({
  kind: 'message',
  bytes: new TextEncoder().encode(text),
});

export function statement(sha256: string, predicateType = 'https://example.com/predicate/v1'): SignContent {
  const payload = statementBytes({
    subject: [{ digest: { sha256 } }],
    predicateType,
    predicate: { ok: true },
  });
  return { kind: 'dsse', payloadType: INTOTO_PAYLOAD_TYPE, payload };
}
