import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Text } from '#base/bytes';
import { sbomDocument } from '#flows/sbom-document';
import type { Sbom } from '#formats/sbom';
import { sampleSbom } from '../vectors/sboms.ts';

test('a list of package URLs has a line for each package that has one, and none for no package', () => {
  const purls = (packages: Sbom['packages']): string =>
    utf8Text(sbomDocument({ ...sampleSbom, packages }, { name: 'purls' }, 0));
  const listed = sampleSbom.packages.flatMap(({ purl }) => purl ?? []);
  assert.ok(listed.length > 0);
  assert.equal(purls(sampleSbom.packages), `${listed.join('\n')}\n`);
  assert.equal(purls([]), '');
});
