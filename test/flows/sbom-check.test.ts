/** An attested SBOM against its image, on a real stack: current, stale, and signed by another. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { unwrap } from '#base/result';
import { checkSbom, type SbomCheck } from '#flows/sbom-check';
import { diffLines } from '#flows/sbom-files';
import { sbomPredicateTypes } from '#flows/sbom-statement';
import type { JsonObject, JsonValue } from '#formats/json';
import { identity, requireKeyless } from '#verify';
import { startStack } from '../stack/helper.ts';
import { CheckWorld, type Published, RELEASE } from './check-world.ts';

const world = new CheckWorld(await startStack());
let current: Published;
let stale: Published;

/** The document with one version changed. */
const older = (document: JsonObject): JsonValue =>
  JSON.parse(JSON.stringify(document).replaceAll('4.4.1', '4.4.0')) as JsonValue;

before(async () => {
  await world.publishBase();
  current = await world.publish('api');
  stale = await world.publish('stale', { sbom: older });
});

function check({ pinned, digest }: Published, san = RELEASE): Promise<SbomCheck> {
  const place = `${world.deps.mirror(pinned.slice(0, pinned.indexOf('@')))}@${digest}`;
  const signer = unwrap(identity({ issuer: world.githubIssuer, san }));
  const requirements = unwrap(requireKeyless({ identities: [signer], predicateTypes: sbomPredicateTypes }));
  return checkSbom(place, requirements, world.deps);
}

test('an attested SBOM that says what is in the image is current', async () => {
  const result = await check(current);
  assert.equal(result.why, undefined);
  assert.equal(result.digest, current.digest);
  assert.match(result.evidence.join('\n'), /3 packages, written by waybill, the same as in the image/);
});

test('one that says another version is stale, and the difference is told', async () => {
  const result = await check(stale);
  assert.equal(result.why?.code, 'WB-936');
  assert.equal(result.why?.exit, 2);
  assert.match(
    diffLines(result.difference ?? assert.fail('no difference')).join('\n'),
    /^~ npm debug 4\.4\.0 -> 4\.4\.1$|4\.4\.0 -> 4\.4\.1/m,
  );
});

test('one that another signed is no SBOM to compare with', async () => {
  await assert.rejects(
    check(current, 'https://github.com/other/api/.github/workflows/release.yml@refs/tags/v1'),
    /WB-\d+/,
  );
});
