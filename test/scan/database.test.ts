import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { WaybillError } from '#base/reason';
import { buildDatabase, loadDatabase, matchPackages, scanTable } from '#scan';

const folder = mkdtempSync(join(tmpdir(), 'waybill-db-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let counter = 0;
function place(name: string, content: string | Uint8Array): string {
  const path = join(folder, String(counter++), name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

const osv = (id: string, name = 'x', more: object = {}): object => ({
  id,
  modified: '2024-01-01T00:00:00Z',
  affected: [
    {
      package: { ecosystem: 'npm', name },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '2.0.0' }] }],
    },
  ],
  ...more,
});
const json = (...args: Parameters<typeof osv>): string => JSON.stringify(osv(...args));

/** A zip archive with deflated entries. */
function zip(entries: Record<string, string>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(entries)) {
    const data = deflateRawSync(text);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(text), 10);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(Buffer.byteLength(text), 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, Buffer.from(name), data]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), fields, place, Buffer.from(name));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(parts.length, 4);
  end.writeUInt16LE(parts.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, Buffer.from('PK\x05\x06', 'latin1'), end]);
}

const ids = (path: string, name = 'x'): string[] => {
  const database = loadDatabase(path);
  try {
    return database.find('npm', name).map((entry) => entry.advisory.id);
  } finally {
    database.close();
  }
};

async function refuses(code: string, body: () => Promise<unknown>): Promise<void> {
  await assert.rejects(body(), (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.reason.code, code);
    return true;
  });
}

test('files, lists, folders, JSON lines, zip, zstd and gzip all end in one database', async () => {
  const lines = `${json('D-4')}\n\n${json('E-5')}\n`;
  const inFolder = place('deep/er/b.json', json('B-2'));
  place('c.txt', 'not read');
  const sources = [
    place('a.json', json('A-1')),
    join(inFolder, '../..'),
    place('list.json', JSON.stringify([osv('C-3')])),
    place('d.jsonl', lines),
    place(
      'f.jsonl.zst',
      Buffer.concat([json('F-6'), json('F-7')].map((text) => zstdCompressSync(`${text}\n`))),
    ),
    place('g.json.gz', gzipSync(json('G-7'))),
    place('all.zip', zip({ 'H-8.json': json('H-8'), 'deep/I-9.json': json('I-9'), 'README.md': 'text' })),
  ];
  const out = join(folder, 'all.db');
  const report = await buildDatabase(sources, out, { builtMs: 1_700_000_000_000 });
  assert.deepEqual(ids(out), ['A-1', 'B-2', 'C-3', 'D-4', 'E-5', 'F-6', 'F-7', 'G-7', 'H-8', 'I-9']);
  assert.equal(report.info.records, 10);
  assert.equal(report.info.builtMs, 1_700_000_000_000);
  assert.deepEqual([...report.info.ecosystems], [['npm', 10]]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('all.db')),
    ['all.db'],
  );
});

test('equal records give an equal content digest whatever their order; the newer of two with one id counts', async () => {
  const a = place('a.json', json('A-1'));
  const b = place('b.json', json('B-2'));
  const newer = place('c.json', json('A-1', 'y', { modified: '2025-01-01T00:00:00Z' }));
  const build = async (name: string, ...sources: string[]): Promise<string> =>
    (await buildDatabase(sources, join(folder, name), { builtMs: 0 })).info.digest;
  assert.equal(await build('1.db', a, b), await build('2.db', b, a));
  assert.equal(await build('3.db', newer, a), await build('4.db', a, newer));
  assert.deepEqual(ids(join(folder, '3.db')), []);
  assert.deepEqual(ids(join(folder, '3.db'), 'y'), ['A-1']);
});

test('withdrawn records, bug fixes and broken records are left out and counted', async () => {
  const source = place(
    'x.jsonl',
    [
      json('A-1'),
      json('B-2', 'x', { withdrawn: '2024-02-02T00:00:00Z' }),
      json('ALBA-2024:1'),
      '{"id":"C-3","affected":[{"package":{"ecosystem":"npm"}}]}',
      '{"id":"D-4","affected":[{"package":{"ecosystem":"npm","name":"x"},"ranges":[{"type":"SEMVER","events":[{"fixed":"1"}]}]}]}',
      '{"id":"E-5","id":"E-6"}',
      'no json',
      '[1]',
    ].join('\n'),
  );
  const out = join(folder, 'partial.db');
  const report = await buildDatabase([source], out, { builtMs: 0 });
  assert.deepEqual(ids(out), ['A-1']);
  assert.deepEqual([report.withdrawn, report.notSecurity, report.skipped], [1, 1, 5]);
  assert.match(report.skippedExamples[0]?.where ?? '', /x\.jsonl:4$/);
});

test('no usable record is WB-872 and leaves no file; an old file stays as it was', async () => {
  const out = join(folder, 'empty.db');
  await refuses('WB-872', () => buildDatabase([place('e.json', '{}')], out, { builtMs: 0 }));
  assert.ok(!existsSync(out));
  await buildDatabase([place('a.json', json('A-1'))], out, { builtMs: 0 });
  const before = readFileSync(out);
  await refuses('WB-872', () => buildDatabase([place('e.json', '{}')], out, { builtMs: 0 }));
  assert.deepEqual(readFileSync(out), before);
});

test('a source that is not there or damaged is WB-871', async () => {
  const out = join(folder, 'bad.db');
  await refuses('WB-871', () => buildDatabase([join(folder, 'nowhere')], out, { builtMs: 0 }));
  await refuses('WB-871', () => buildDatabase([place('x.zip', 'not a zip')], out, { builtMs: 0 }));
  const cut = zstdCompressSync(json('A-1')).subarray(0, 20);
  await refuses('WB-871', () => buildDatabase([place('x.jsonl.zst', cut)], out, { builtMs: 0 }));
});

test('what is no database, or half of one, is WB-870', async () => {
  const out = join(folder, 'good.db');
  await buildDatabase([place('a.json', json('A-1'))], out, { builtMs: 0 });
  const bytes = readFileSync(out);
  const cases = [
    place('text.db', 'not a database at all, but long enough to be read as one'),
    place('half.db', bytes.subarray(0, Math.floor(bytes.length / 2))),
    place('empty.db', ''),
  ];
  for (const path of [...cases, join(folder, 'missing', 'none.db')]) {
    await refuses('WB-870', async () => loadDatabase(path));
  }
  for (const path of [folder, '/dev/null', '/dev/zero', '/dev/tty-of-nobody'])
    await refuses('WB-870', async () => loadDatabase(path));
});

test('a head that says what cannot be is WB-870; what others wrote in it is shown and not obeyed', async () => {
  const out = join(folder, 'head.db');
  await buildDatabase([place('a.json', json('A-1'))], out, { builtMs: 0 });
  const bytes = readFileSync(out);
  const end = 20 + bytes.readUInt32LE(16);
  const header = JSON.parse(bytes.subarray(20, end).toString()) as object;
  const withHead = (change: object): string => {
    const head = Buffer.from(JSON.stringify({ ...header, ...change }));
    const size = Buffer.alloc(4);
    size.writeUInt32LE(head.length);
    return place('head.db', Buffer.concat([bytes.subarray(0, 16), size, head, bytes.subarray(end)]));
  };
  const odd = [{ builtMs: 9e15 }, { builtMs: -1 }, { sources: [null] }, { ecosystems: { npm: 'many' } }];
  for (const change of [...odd, { newest: 7 }, { digest: 'sha256:\u001b[2J' }]) {
    await refuses('WB-870', async () => loadDatabase(withHead(change)));
  }
  const newest = '\u001b[2J2024';
  const database = loadDatabase(withHead({ newest }));
  const sbom = {
    subject: { name: 'x' },
    packages: [],
    layers: [],
    unknowns: [],
    tool: { name: 't', version: '' },
  };
  const text = scanTable(matchPackages(sbom, database), 0);
  database.close();
  assert.deepEqual(
    [text.includes('\u001b'), text.includes('without EPSS scores and KEV entries')],
    [false, true],
  );
});

test('a database knows how many scores and entries of KEV it was built with', async () => {
  const out = join(folder, 'feeds.db');
  const epss = place('epss.csv', 'cve,epss,percentile\nCVE-2024-1,0.5,0.9\n');
  const entry = { cveID: 'CVE-2024-1', dateAdded: '2024-01-01' };
  const kev = place('kev.json', JSON.stringify({ vulnerabilities: [entry] }));
  const records = place('a.json', json('A-1'));
  const { info } = await buildDatabase([records, epss, kev], out, { builtMs: 0 });
  assert.deepEqual([info.epss, info.knownExploited], [1, 1]);
  const without = await buildDatabase([records], out, { builtMs: 0 });
  assert.deepEqual([without.info.epss, without.info.knownExploited], [0, 0]);
});

const shared = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'advisories');

if (existsSync(shared)) {
  test('25,000 real records become one database that answers for every ecosystem', async () => {
    const out = join(folder, 'real.db');
    const names = readdirSync(shared).filter((name) => name.endsWith('.jsonl.zst'));
    const report = await buildDatabase(
      names.map((name) => join(shared, name)),
      out,
      { builtMs: 0 },
    );
    assert.equal(report.skipped, 0);
    assert.ok(
      report.info.records + report.withdrawn + report.notSecurity > 23_000,
      String(report.info.records),
    );
    const database = loadDatabase(out);
    assert.ok(!database.info.isSampleOnly);
    const wanted = {
      Go: 'golang.org/x/net',
      PyPI: 'urllib3',
      npm: 'axios',
      'crates.io': 'openssl',
      'AlmaLinux:9': 'curl',
    };
    for (const [ecosystem, name] of Object.entries(wanted)) {
      assert.ok(database.find(ecosystem, name).length > 0, `${ecosystem} ${name}`);
    }
    database.close();
  });
} else {
  console.log(`advisory data did not run: ${shared} is absent`);
}

test('not one byte is believed that the digest does not cover', async () => {
  const lines = Array.from({ length: 400 }, (_, i) => json(`A-${i}`, `name-${i}`, { summary: `about ${i}` }));
  const out = join(folder, 'whole.db');
  const { info } = await buildDatabase([place('many.jsonl', lines.join('\n'))], out, { builtMs: 5 });
  const bytes = readFileSync(out);
  const answer = (path: string): string => {
    const database = loadDatabase(path);
    try {
      const all = Array.from({ length: 400 }, (_, i) => database.find('npm', `name-${i}`));
      return JSON.stringify([all, database.explain('A-7'), database.info.digest]);
    } finally {
      database.close();
    }
  };
  const right = answer(out);
  // The preamble and the header, whose other facts describe and decide nothing, end where the indexes begin.
  const start = 20 + bytes.readUInt32LE(16);
  let refused = 0;
  for (let at = start; at < bytes.length; at += 97) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 0x20;
    const path = place('changed.db', changed);
    try {
      // The last bits of a deflated block may mean nothing.
      assert.equal(answer(path), right, `byte ${at} of ${bytes.length}`);
    } catch (error) {
      assert.match(String(error), /WB-870/, `byte ${at} of ${bytes.length}`);
      refused++;
    }
  }
  assert.ok(refused > 100, String(refused));
  assert.match(info.digest, /^sha256:/);
});

test('explain finds an advisory by any of its ids, and says what it is about', async () => {
  const out = join(folder, 'explain.db');
  const more = { aliases: ['CVE-2024-1111'], related: ['CVE-2024-2222'] };
  await buildDatabase([place('a.json', json('GHSA-1', 'x', more))], out, { builtMs: 0 });
  const database = loadDatabase(out);
  for (const id of ['GHSA-1', 'CVE-2024-1111', 'CVE-2024-2222']) {
    const [found] = database.explain(id);
    assert.equal(found?.advisory.id, 'GHSA-1');
    assert.deepEqual(
      found?.affected.map(({ ecosystem, name }) => `${ecosystem} ${name}`),
      ['npm x'],
    );
  }
  assert.deepEqual(database.explain('CVE-2024-3333'), []);
  database.close();
});
