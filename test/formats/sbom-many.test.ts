/** What a document of somebody else may repeat without end costs as much as it is long, not its square. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '#base/bytes';
import { unwrap } from '#base/result';
import type { Sbom } from '#formats/sbom';
import { mergeSboms } from '#formats/sbom-merge';
import { parseSbom } from '#formats/sbom-read';

const MANY = 150_000;
/** Of this process, so that a busy machine changes little; the square of MANY takes several times as long. */
const CPU_MS_MAX = 10_000;

const numbers = Array.from({ length: MANY }, (_, i) => i);

function within<T>(work: () => T): T {
  const before = process.cpuUsage();
  const done = work();
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1000 < CPU_MS_MAX, `${(user + system) / 1000} ms`);
  return done;
}

const read = (json: object): Sbom => {
  const bytes = utf8(JSON.stringify(json));
  return within(() => unwrap(parseSbom(bytes)));
};

test('one package with very many relationships is read: Syft JSON', () => {
  const { packages } = read({
    schema: { version: '16.0.0', url: 'https://example.test/schema.json' },
    descriptor: { name: 'syft', version: '1.52.0' },
    source: {},
    artifacts: [
      { id: 'a', name: 'a', version: '1', type: 'npm', purl: 'pkg:npm/a@1' },
      { id: 'b', name: 'b', version: '1', type: 'npm', purl: 'pkg:npm/b@1' },
    ],
    artifactRelationships: [
      ...numbers.map((i) => ({ parent: `x${i}`, child: 'a', type: 'dependency-of' })),
      { parent: 'b', child: 'a', type: 'dependency-of' },
    ],
  });
  assert.deepEqual(packages[0]?.dependsOn, [packages[1]?.id]);
});

test('one package with very many relationships is read: SPDX 2.3, either way round', () => {
  const one = (name: string): object => ({
    SPDXID: `SPDXRef-${name}`,
    name,
    versionInfo: '1',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:npm/${name}@1`,
      },
    ],
  });
  const edge = (spdxElementId: string, relationshipType: string, relatedSpdxElement: string): object => ({
    spdxElementId,
    relationshipType,
    relatedSpdxElement,
  });
  const { packages } = read({
    spdxVersion: 'SPDX-2.3',
    name: 'document',
    packages: [one('a'), one('b')],
    relationships: [
      ...numbers.map((i) =>
        i % 2 === 0
          ? edge('SPDXRef-a', 'DEPENDS_ON', `SPDXRef-x${i}`)
          : edge(`SPDXRef-x${i}`, 'DEPENDENCY_OF', 'SPDXRef-a'),
      ),
      edge('SPDXRef-b', 'DEPENDENCY_OF', 'SPDXRef-a'),
    ],
  });
  assert.deepEqual(packages[0]?.dependsOn, [packages[1]?.id]);
});

test('one package with very many relationships is read: SPDX 3.0, in one relationship or in many', () => {
  const one = (name: string): object => ({
    type: 'software_Package',
    spdxId: `urn:${name}`,
    name,
    software_packageVersion: '1',
    software_packageUrl: `pkg:npm/${name}@1`,
  });
  const needs = (to: readonly string[]): object => ({
    type: 'Relationship',
    relationshipType: 'dependsOn',
    from: 'urn:a',
    to,
  });
  const { packages } = read({
    '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
    '@graph': [
      { type: 'CreationInfo', '@id': '_:info', specVersion: '3.0.1', created: '2026-01-01T00:00:00Z' },
      one('a'),
      one('b'),
      ...numbers.map((i) => needs([`urn:x${i}`])),
      needs([...numbers.map((i) => `urn:y${i}`), 'urn:b']),
    ],
  });
  assert.deepEqual(packages[0]?.dependsOn, [packages[1]?.id]);
});

test('one package that is listed very often is merged', () => {
  const { packages, ...rest } = read({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: numbers.map((i) => ({
      type: 'library',
      name: 'a',
      version: '1',
      purl: 'pkg:npm/a@1',
      'bom-ref': String(i),
    })),
  });
  const { subject, tool } = rest;
  const merged = within(() => mergeSboms([{ ...rest, packages }], { subject, tool }));
  assert.equal(merged.packages.length, 1);
});
