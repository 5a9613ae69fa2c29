/** Chains from certificates in files and from strangers: in bounded time, whatever they are called. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey, type PrivateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { buildName, type Certificate, parseCertificate } from '#formats/x509';
import { buildCertificate, extensionOf } from '#formats/x509-build';
import { authoritiesUp, issuedUnder } from '../../src/cli/issuer-chains.ts';

const key = generateKey('p256');
const name = (value: string): Uint8Array => buildName([{ type: 'CN', value }]);
let serial = 0;

function certificate(subject: string, issuer: string, signer: PrivateKey = key): Certificate {
  serial++;
  const template = {
    ...{ subject: name(subject), issuer: name(issuer), serial: Uint8Array.of(1, serial >> 8, serial & 255) },
    ...{ notBefore: 0, notAfter: 1e12, publicKey: key.publicKey },
    extensions: [extensionOf.authority()],
  };
  return unwrap(parseCertificate(buildCertificate(template, signer)));
}

test('every root of a large file is an authority, and so is what lies below the last of them', () => {
  const roots = Array.from({ length: 150 }, (_, i) => certificate(`root ${i}`, `root ${i}`));
  const below = certificate('below', 'root 149');
  const chains = authoritiesUp(roots, [below]).map(({ chain }) => chain);
  assert.equal(chains.length, 151);
  assert.deepEqual(chains.at(-1), [below, roots[149]]);
});

test('certificates in a file that all have one name are refused instead of being followed for ever', () => {
  const same = Array.from({ length: 40 }, () => certificate('same', 'same'));
  const isRefused = (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === 'WB-1305';
  assert.throws(() => authoritiesUp([certificate('root', 'root')], same), isRefused);
});

test('of the certificates that came with signatures only those count that an anchor issued', async () => {
  const root = certificate('root', 'root');
  const upper = certificate('upper', 'root');
  const lower = certificate('lower', 'upper');
  const stranger = generateKey('p256');
  const made = Array.from({ length: 40 }, () => certificate('lower', 'root', stranger));
  const round = Array.from({ length: 40 }, () => certificate('same', 'same', stranger));
  const offered = [...made, lower, ...round, upper, lower];
  assert.deepEqual(await issuedUnder([root], offered), [upper, lower]);
  assert.deepEqual(await issuedUnder([], offered), []);
});
