import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderSbomDocs } from '../../build/sbom-docs.ts';

test('docs/sbom.md lists the cataloguers as they are, with what the census has proven and nothing more', () => {
  const page = readFileSync('docs/sbom.md', 'utf8');
  assert.equal(page === renderSbomDocs(page), true, 'run: node build/sbom-docs.ts');
});
