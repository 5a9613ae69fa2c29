/** What is kept instead of a file says the same as the file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogueLayers, cataloguers } from '#sbom';
import { type Entry, image, options } from './fixture.ts';

const manifests: readonly string[] = [
  '{"name":"plain","version":"1.0.0","license":"MIT","description":"d","homepage":"h","scripts":{"a":"b"}}',
  '\ufeff{"name":"marked","version":" 1.0.0 ","author":"A <a@example.com>"}',
  '{"name":"@scope/b","version":"2.0.0","license":{"type":"ISC"},"author":{"name":"B","email":"b@example.com"}}',
  '{"name":"old","version":"3","licenses":[{"type":"MIT"},{"name":"BSD"},"Apache-2.0",7]}',
  '{"name":"needy","version":"1","dependencies":{"plain":"*","2":"*","1":"*"},"peerDependencies":{"old":"*"}}',
  '{"name":"needs nothing","version":"1","dependencies":["plain"],"optionalDependencies":null}',
  '{"name":"com.example.thing","version":"1","unity":"2020.1"}',
  '{"name":"text \\ud800 broken","version":"1"}',
  '{"name":5,"version":"1"}',
  '{"version":"1"}',
  '[]',
  '{"name":"twice","name":"twice","version":"1"}',
  '{"name":"a","version":"1","__proto__":{}}',
  '{"name":"cut',
  '',
];

const copyrights: readonly string[] = [
  'Format: https://www.debian.org/doc/x\nLicense: GPL-2+ and MIT\n text\n\nLicense: BSD-3-clause.\n',
  'Format-Specification: x\nlicense: Apache-2.0 or X..\nLicense: a, b\nLicense: not a name of one\n',
  'This is free text.\nLicense: GPL-2\n',
  'Format: x\n',
  '\u00ff\u0000',
];

/** What else is said of each package. */
const more: readonly string[] = [
  'Depends: p1 (>= 1) | p2,\n p3\nProvides: old-name (= 1)\nConffiles:\n /etc/a 0\n',
  'description: first line\n second\n .\n third\nPre-Depends: old-name\nArchitecture: amd64\n',
  'Source: s (2)\nHomepage: https://example.com/\u00e9\nMaintainer: A <a@example.com>\nTag: x\n',
  'Description:\n only later\nDepends:\n p0\n',
];

test('an SBOM of condensed files is the SBOM of the files', async () => {
  const status = copyrights
    .map((_, i) => `Package: p${i}\nStatus: install ok installed\nVersion: 1\n${more[i] ?? ''}`)
    .join('\n');
  const entries: Entry[] = [
    { path: 'etc/os-release', text: 'ID=debian\nVERSION_ID=12\n' },
    { path: 'var/lib/dpkg/status', text: `${status}\nTag: of no package\n` },
    {
      path: 'var/lib/dpkg/info/p0.list',
      text: '/.\n/srv\n/srv/0\n/srv/0/package.json\n/srv/node_modules/m0/package.json\n/srv/1\n',
    },
    ...copyrights.map((text, i): Entry => ({ path: `usr/share/doc/p${i}/copyright`, text })),
    ...manifests.flatMap((text, i): Entry[] => [
      { path: `srv/${i}/package.json`, text },
      { path: `srv/node_modules/m${i}/package.json`, text },
    ]),
  ];
  const chosen = cataloguers.filter(({ name }) => name === 'npm' || name === 'dpkg');
  const { input } = await image(entries);
  const { sbom } = await catalogueLayers(input, { ...options, cataloguers: chosen });
  const whole = chosen.map(({ condense, ...one }) => (condense === undefined ? assert.fail(one.name) : one));
  const expected = await catalogueLayers(input, { ...options, cataloguers: whole });
  assert.deepEqual(sbom, expected.sbom);
  assert.ok(sbom.packages.some(({ name, ownedBy }) => name === 'plain' && ownedBy !== undefined));
  assert.ok(sbom.packages.length >= 12 && sbom.unknowns.length > 5, `${sbom.packages.length}`);
  assert.deepEqual(sbom.packages.find(({ name }) => name === 'p1')?.licenses, ['Apache-2.0', 'X.', 'a', 'b']);
});
