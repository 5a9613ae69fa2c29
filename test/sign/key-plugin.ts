#!/usr/bin/env node
/**
 * A key plugin for tests, as the protocol of the Sigstore clients has it: called `sigstore-kms-…`, it keeps PEM keys
 * in the folder TEST_KEYS. TEST_FAULT makes it misbehave.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { p256 } from '@noble/curves/nist.js';

interface Question {
  readonly initOptions: { readonly protocolVersion: string; readonly keyResourceID: string };
  readonly methodName: string;
  readonly signMessage?: { readonly signOptions: { readonly messageOptions: { readonly digest?: string } } };
}

const [version, json = '{}'] = process.argv.slice(2);
const { initOptions, methodName, signMessage } = JSON.parse(json) as Question;
const file = join(process.env['TEST_KEYS'] ?? '.', `${initOptions.keyResourceID}.pem`);
const publicKeyPEM = (): string => {
  const pem = createPublicKey(readFileSync(file, 'utf8')).export({ type: 'spki', format: 'pem' });
  return Buffer.from(pem).toString('base64');
};

function answer(): object {
  if (version !== 'v1' || initOptions.protocolVersion !== 'v1') return { errorMessage: 'protocol v1 only' };
  if (methodName === 'createKey') {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    return { createKey: { publicKeyPEM: publicKeyPEM() } };
  }
  if (methodName === 'defaultAlgorithm')
    return { defaultAlgorithm: { defaultAlgorithm: 'ecdsa-p256-sha256' } };
  if (!existsSync(file)) return { errorMessage: `no key ${initOptions.keyResourceID}` };
  if (methodName === 'publicKey') return { publicKey: { publicKeyPEM: publicKeyPEM() } };
  if (methodName !== 'signMessage') return { errorMessage: `no method ${methodName}` };
  const { digest } = signMessage?.signOptions.messageOptions ?? {};
  const hashed =
    digest === undefined
      ? createHash('sha256').update(readFileSync(0)).digest()
      : Buffer.from(digest, 'base64');
  if (process.env['TEST_FAULT'] === 'other-message') hashed[0] = (hashed[0] as number) ^ 1;
  const { d = '' } = createPrivateKey(readFileSync(file, 'utf8')).export({ format: 'jwk' });
  const signature = p256.sign(hashed, Buffer.from(d, 'base64url'), {
    prehash: false,
    format: 'der',
    // A log takes the same file twice, but not the same signature.
    extraEntropy: true,
  });
  return { signMessage: { signature: Buffer.from(signature).toString('base64') } };
}

if (process.env['TEST_FAULT'] === 'prose') console.log('not today');
else console.log(JSON.stringify(answer()));
