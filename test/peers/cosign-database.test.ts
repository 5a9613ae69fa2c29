/** Real cosign checks the signature of an advisory database, offline, with the file alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { bundlePath, DATABASE_PREDICATE, signDatabase } from '#flows/scan-database';
import { buildDatabase } from '#scan';
import { trustMaterial } from '#verify';
import { ada, personSigner, startStack, temporaryFolder, trustedRootOf, wire } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';

const cosign = requirePeer('cosign');
const stack = await startStack();
const folder = await temporaryFolder();
const file = join(folder, 'advisories.db');

before(async () => {
  const source = join(folder, 'a.json');
  writeFileSync(
    source,
    '{"id":"A-1","affected":[{"package":{"ecosystem":"npm","name":"x"},"versions":["1"]}]}',
  );
  await buildDatabase([source], file, { builtMs: 0 });
  const trustedRoot = trustMaterial(trustedRootOf(stack));
  await signDatabase(file, { signer: await personSigner(stack), trustedRoot, clock: wire.clock });
  writeFileSync(join(folder, 'root.json'), stack.published.trustedRoot);
});

function verify(path: string, identity: string): number | null {
  const ran = spawnSync(
    cosign,
    [
      'verify-blob-attestation',
      `--bundle=${bundlePath(file)}`,
      `--type=${DATABASE_PREDICATE}`,
      `--certificate-identity=${identity}`,
      `--certificate-oidc-issuer=${stack.origins.oidc}`,
      `--trusted-root=${join(folder, 'root.json')}`,
      '--new-bundle-format',
      path,
    ],
    { encoding: 'utf8', env: { ...process.env, HOME: folder, COSIGN_YES: 'true' } },
  );
  return ran.status;
}

test('cosign accepts the database, and neither another signer nor another file', () => {
  assert.equal(verify(file, ada), 0);
  assert.notEqual(verify(file, 'eve@example.com'), 0);
  const changed = join(folder, 'changed.db');
  writeFileSync(changed, Buffer.concat([readFileSync(file), Buffer.from([0])]));
  assert.notEqual(verify(changed, ada), 0);
});
