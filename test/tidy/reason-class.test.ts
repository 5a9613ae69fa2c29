import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classOf, reasonClasses } from '#base/reason';
import { readCatalogue } from '../../build/errors.ts';

const catalogue = await readCatalogue();

test('every error code has a class of the stable list', () => {
  const unknown = catalogue.filter((row) => !Object.hasOwn(reasonClasses, classOf(row)));
  assert.deepEqual(
    unknown.map((row) => `${row.code} ${row.file}`),
    [],
  );
});

test('internal is the class of our defects and of nothing else', () => {
  const wrong = catalogue.filter((row) => (classOf(row) === 'internal') !== (row.side === 'defect'));
  assert.deepEqual(
    wrong.map((row) => `${row.code} ${row.side} ${classOf(row)}`),
    [],
  );
});

test('every class is the class of some code', () => {
  const used = new Set(catalogue.map(classOf));
  assert.deepEqual(
    Object.keys(reasonClasses).filter((name) => !used.has(name as never)),
    [],
  );
});
