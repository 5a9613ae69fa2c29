import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { orderOf } from '#scan';

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/versions');

const files: Record<string, string> = {
  alpine: 'Alpine',
  cran: 'CRAN',
  debian: 'Debian',
  hackage: 'Hackage',
  maven: 'Maven',
  nuget: 'NuGet',
  packagist: 'Packagist',
  pub: 'Pub',
  pypi: 'PyPI',
  redhat: 'AlmaLinux',
  rubygems: 'RubyGems',
  semver: 'npm',
};

interface Row {
  readonly format: string;
  readonly a: string;
  readonly b: string;
  readonly cmp: number;
}

interface Constraint {
  readonly format: string;
  readonly version: string;
  readonly constraint: string;
  readonly satisfied: boolean;
  readonly error?: boolean;
}

/** rpm, semver, pep440 and gem rows of this file also hold one tool's own tolerance and are left out. */
const constraintFormats = { apk: 'Alpine', bitnami: 'Bitnami', deb: 'Debian', go: 'Go', maven: 'Maven' };

function holds({ version, constraint }: Constraint, ecosystem: string): boolean {
  if (constraint.trim() === '') return true;
  const compare = orderOf(ecosystem);
  return constraint.split('||').some((all) =>
    all.split(',').every((one) => {
      const match = /^\s*([<>]?=?)\s*(.*?)\s*$/.exec(one);
      const difference = compare(version, match?.[2] as string);
      assert.ok(difference !== undefined);
      const operator = (match?.[1] || '=') as '<' | '<=' | '>' | '>=' | '=';
      const checks = {
        '<': difference < 0,
        '<=': difference <= 0,
        '>': difference > 0,
        '>=': difference >= 0,
      };
      return operator === '=' ? difference === 0 : checks[operator];
    }),
  );
}

const sign = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.sign(value);

if (existsSync(shared)) {
  for (const [name, ecosystem] of Object.entries(files)) {
    test(`every row of the ${name} versions orders as stated, in both directions`, () => {
      const compare = orderOf(ecosystem);
      const wrong: string[] = [];
      let rows = 0;
      for (const file of [`${name}-versions.txt`, `${name}-versions-generated.txt`]) {
        if (!existsSync(join(shared, file))) continue;
        for (const line of readFileSync(join(shared, file), 'utf8').split('\n')) {
          const [a, op, b] = line.trim().split(/\s+/);
          if (a === undefined || a === '' || /^(?:#|\/\/)/.test(a) || op === undefined || b === undefined)
            continue;
          rows++;
          const expected = { '<': -1, '=': 0, '>': 1 }[op];
          const isRight =
            sign(compare(a, b)) === expected && Math.abs((sign(compare(b, a)) ?? 9) + (expected ?? 9)) === 0;
          if (!isRight) wrong.push(`${line} (got ${compare(a, b)}, ${compare(b, a)})`);
        }
      }
      assert.ok(rows > 10);
      assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${rows} rows`);
    });
  }

  test('constraints of the formats whose order has no tool-specific rule hold', () => {
    const rows = JSON.parse(readFileSync(join(shared, 'constraints.json'), 'utf8')) as Constraint[];
    for (const [format, ecosystem] of Object.entries(constraintFormats)) {
      const wanted = rows.filter((row) => row.format === format && row.error !== true);
      assert.ok(wanted.length > 3);
      for (const row of wanted) {
        assert.equal(holds(row, ecosystem), row.satisfied, `${format} ${row.version} ${row.constraint}`);
      }
    }
  });

  test('Go versions of the toolchain and of modules order as stated', () => {
    const rows = JSON.parse(readFileSync(join(shared, 'comparisons.json'), 'utf8')) as Row[];
    for (const { a, b, cmp } of rows.filter((row) => row.format === 'go')) {
      assert.equal(sign(orderOf('Go')(a, b)), cmp, `${a} ${b}`);
    }
  });
} else {
  console.log(`version vectors did not run: ${shared} is absent`);
}

test('an ecosystem without a known order knows equality and nothing else', () => {
  assert.equal(orderOf('Unheard')('1', '1'), 0);
  assert.equal(orderOf('Unheard')('1', '2'), undefined);
});

test('what is no version does not compare', () => {
  assert.equal(orderOf('npm')('latest', '1.0.0'), undefined);
  assert.equal(orderOf('Debian:12')('', '1'), undefined);
});
