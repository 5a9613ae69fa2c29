/** A stack in a temporary folder, and the pieces tests sign and verify with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { unwrap } from '#base/result';
import { INTOTO_PAYLOAD_TYPE } from '#formats/dsse';
import { statementBytes } from '#formats/intoto';
import { parseSigningConfig } from '#formats/signing-config';
import { parseTrustedRoot, type TrustedRoot } from '#formats/trusted-root';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, type SignContent, type Signer, type SignerOptions, servicesFrom } from '#sign';
import { composeStack, type Stack, type StackConfig } from '#stack';

const folders: string[] = [];
const stacks: Stack[] = [];
after(async () => {
  for (const stack of stacks) await stack.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-stack-'));
  folders.push(folder);
  return folder;
}

export async function startStack(more: Partial<StackConfig> = {}): Promise<Stack> {
  const dataDir = more.dataDir ?? join(await temporaryFolder(), 'data');
  const stack = await composeStack({ dataDir, logLevel: 'silent', ...more });
  stacks.push(stack);
  return stack;
}

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
