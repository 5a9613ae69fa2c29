/** What is said when no signature of an image counts. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { digestOf } from '#base/digest';
import { reason } from '#base/reason';
import { unwrap } from '#base/result';
import { imageRefusal } from '#flows/image-refusal';
import { verifyImage } from '#flows/verify-image';
import { COSIGN_SIGN_V1 } from '#formats/intoto';
import { buildManifest, emptyDescriptor, emptyJson } from '#formats/oci';
import { createRegistry } from '#services/registry';
import { identity, requireKeyless, verifyReasons } from '#verify';
import { ISSUER, VirtualStack } from '../double/virtual-stack.ts';
import { once, quickRegistry, reasonOf, repositoryAt } from '../oci/helpers.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'waybill-test-refusal-'));
const registry = await createRegistry({ dataDir });
after(async () => {
  await registry.close();
  await rm(dataDir, { recursive: true, force: true });
});

const requirementsFor = (san: string) =>
  unwrap(
    requireKeyless({
      identities: [unwrap(identity({ issuer: ISSUER, san }))],
      predicateTypes: [COSIGN_SIGN_V1],
    }),
  );

for (const [asked, signed, meant] of [
  ['ada@example.com', ['eve@example.com'], undefined],
  ['al@example.com', ['ed@example.com'], undefined],
  ['ada@example.com', ['ada@example.org'], undefined],
  ['dve@example.com', ['eve@example.com', 'dev@example.com'], 'eve@example.com'],
  ['ada@exmaple.com', ['eve@example.com', 'ada@example.com'], 'ada@example.com'],
  ['Ada@example.com', ['ada@example.com'], 'ada@example.com'],
] as const) {
  const claim = meant === undefined ? 'no name is proposed' : `${meant} is proposed`;
  test(`asked for ${asked}, signed by ${signed.join(' and ')}: ${claim}, and a name found is shown`, () => {
    const refused = signed.map((name) =>
      reason(verifyReasons.san, { expected: JSON.stringify(asked), actual: `email ${JSON.stringify(name)}` }),
    );
    const question = { kind: 'signature', requirements: requirementsFor(asked) } as const;
    const { reason: why } = imageRefusal(question, 'r/i@d', refused, {
      count: signed.length,
      isIndex: false,
    });
    assert.deepEqual([why.code, why.exit], ['WB-351', 14]);
    assert.equal(/did you mean --certificate-identity "(.*?)"/.exec(why.hint)?.[1], meant);
    assert.ok(why.actual.startsWith(`email "${meant ?? signed[0]}"`), why.actual);
  });
}

test('an image with a sha512 digest and no signature is answered like any other', async () => {
  const repository = repositoryAt(registry.host, 'long');
  await repository.putBlob(emptyDescriptor, () => once(emptyJson));
  const manifest = buildManifest({ config: emptyDescriptor, layers: [] });
  const digest = digestOf(manifest.bytes, 'sha512');
  const stack = new VirtualStack();
  const deps = {
    registry: quickRegistry(),
    trust: { material: stack.trust(), hash: 'x' },
    clock: stack.clock,
  };
  const question = { kind: 'signature', requirements: requirementsFor('ada@example.com') } as const;
  const absent = await reasonOf(verifyImage(`${repository.name}@${digest}`, question, deps));
  assert.deepEqual([absent.code, absent.exit], ['WB-502', 11]);
  await repository.putManifest({ ...manifest, digest });
  const unsigned = await reasonOf(verifyImage(`${repository.name}@${digest}`, question, deps));
  assert.deepEqual([unsigned.code, unsigned.exit], ['WB-901', 10]);
});
