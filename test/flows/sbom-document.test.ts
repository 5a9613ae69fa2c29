import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8Text } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { sbomDocument, sourceDateEpochMs } from '#flows/sbom-document';
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

test('a SOURCE_DATE_EPOCH that is no time is refused, one that is empty is not set', () => {
  assert.equal(sourceDateEpochMs({ SOURCE_DATE_EPOCH: '1790000000' }), 1_790_000_000_000);
  assert.equal(sourceDateEpochMs({ SOURCE_DATE_EPOCH: '' }), undefined);
  assert.equal(sourceDateEpochMs({}), undefined);
  for (const text of ['yesterday', '-1', '1.5', ' 1', '123456789012']) {
    assert.throws(
      () => sourceDateEpochMs({ SOURCE_DATE_EPOCH: text }),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-982',
    );
  }
});
