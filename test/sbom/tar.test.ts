import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { type TarEntry, TarWalker } from '#sbom';

const BLOCK = 512;

interface HeaderParts {
  readonly name: string | Uint8Array;
  readonly flag?: string;
  /** Octal text or raw bytes of the size field. */
  readonly size?: number | string | Uint8Array;
  readonly linkName?: string;
}

function header(parts: HeaderParts): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  Buffer.from(parts.name as string).copy(block, 0);
  block.write('0000644\0', 100, 'latin1');
  const { size = 0 } = parts;
  if (size instanceof Uint8Array) block.set(size, 124);
  else
    block.write(typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size, 124, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(parts.flag ?? '0', 156, 'latin1');
  block.write(parts.linkName ?? '', 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function body(content: string | Uint8Array): Uint8Array {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

function file(name: string, content: string, flag = '0'): Uint8Array {
  return Buffer.concat([header({ name, size: Buffer.byteLength(content), flag }), body(content)]);
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return `${length}${rest}`;
}

const pax = (records: Record<string, string>, flag = 'x'): Uint8Array =>
  file(
    'pax',
    Object.entries(records)
      .map(([key, value]) => paxRecord(key, value))
      .join(''),
    flag,
  );

const end = Buffer.alloc(2 * BLOCK);

interface Seen extends TarEntry {
  readonly text: string;
}

function walk(archive: Uint8Array, step = archive.length): Seen[] {
  const seen: Seen[] = [];
  const walker = new TarWalker((entry) => {
    const parts: Uint8Array[] = [];
    return {
      write: (chunk) => void parts.push(Uint8Array.from(chunk)),
      end: () => void seen.push({ ...entry, text: Buffer.concat(parts).toString() }),
    };
  });
  for (let at = 0; at < archive.length; at += step) walker.push(archive.subarray(at, at + step));
  walker.finish();
  return seen;
}

const listing = (archive: Uint8Array): string[] => walk(archive).map(({ name, text }) => `${name}=${text}`);

function refuses(code: string, archive: () => Uint8Array): void {
  assert.throws(
    () => walk(archive()),
    (error) => error instanceof WaybillError && error.reason.code === code,
  );
}

test('names and contents come out the same for every way the bytes are cut', () => {
  const archive = Buffer.concat([
    file('a', 'x'.repeat(700)),
    pax({ path: 'ä/long', size: '3' }),
    file('short', 'abc'),
    file('L', `${'n'.repeat(300)}\0`, 'L'),
    file('cut', 'hello'),
    header({ name: 'dir/', flag: '5' }),
    end,
  ]);
  const whole = walk(archive);
  assert.deepEqual(
    whole.map((one) => one.name),
    ['a', 'ä/long', 'n'.repeat(300), 'dir/'],
  );
  for (const step of [1, 7, 511, 512, 513, 1024]) assert.deepEqual(walk(archive, step), whole);
});

test('GNU tar and PAX archives of the real tar program are read alike', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-tar-'));
  try {
    const long = join('d'.repeat(90), 'e'.repeat(90));
    mkdirSync(join(folder, 'in', long), { recursive: true });
    writeFileSync(join(folder, 'in', long, 'fä.txt'), 'content');
    writeFileSync(join(folder, 'in', 'plain'), 'p');
    for (const format of ['gnu', 'pax', 'ustar']) {
      const archive = execFileSync('tar', [
        `--format=${format}`,
        '--sort=name',
        '-C',
        join(folder, 'in'),
        '-c',
        '.',
      ]);
      const files = walk(archive).filter((one) => one.kind === 'file');
      assert.deepEqual(
        files.map(({ name, text }) => [name, text]),
        [
          [`./${long}/fä.txt`, 'content'],
          ['./plain', 'p'],
        ],
        format,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a PAX size belongs to the file, not to a GNU name header in between', () => {
  const archive = Buffer.concat([
    pax({ size: '4' }),
    file('L', 'real-name\0', 'L'),
    header({ name: 'decoy', size: 0 }),
    body('DATA'),
    file('next', 'n'),
    end,
  ]);
  assert.deepEqual(listing(archive), ['real-name=DATA', 'next=n']);
});

test('a repeated PAX key counts the last time; a PAX path wins over a GNU name', () => {
  const archive = Buffer.concat([
    pax({ path: 'first' }),
    pax({ path: 'second' }),
    file('L', 'gnu\0', 'L'),
    file('short', 'x'),
    end,
  ]);
  assert.deepEqual(listing(archive), ['second=x']);
});

test('a long name whose first 100 bytes end in a slash is a file; a whole name that does is a folder', () => {
  const folder = `${'d'.repeat(99)}/`;
  const archive = Buffer.concat([
    file('L', `${folder}file.h\0`, 'L'),
    file(folder, 'content'),
    header({ name: 'old-style/', flag: '\0' }),
    file('after', 'a'),
    end,
  ]);
  assert.deepEqual(
    walk(archive).map(({ kind, name, text }) => [kind, name, text]),
    [
      ['file', `${folder}file.h`, 'content'],
      ['directory', 'old-style/', ''],
      ['file', 'after', 'a'],
    ],
  );
});

test('links and devices have no body, whatever their size field says', () => {
  const archive = Buffer.concat([
    header({ name: 'link', flag: '2', linkName: 'to', size: 512 }),
    header({ name: 'dev', flag: '3', size: 99 }),
    file('after', 'a'),
    end,
  ]);
  assert.deepEqual(
    walk(archive).map(({ kind, name, linkName, size }) => [kind, name, linkName, size]),
    [
      ['symlink', 'link', 'to', 0],
      ['special', 'dev', '', 0],
      ['file', 'after', '', 1],
    ],
  );
});

test('bytes after the end marker are not entries; a name that is not UTF-8 keeps its bytes', () => {
  const archive = Buffer.concat([file('x', '1'), end, file('hidden', '2')]);
  assert.deepEqual(listing(archive), ['x=1']);
  const latin = Buffer.concat([header({ name: Buffer.from([0x66, 0xfc]) }), end]);
  assert.equal(walk(latin)[0]?.name, 'f\u00fc');
});

test('a sparse file is walked over and marked', () => {
  const sparse = Buffer.from(header({ name: 's', size: 512, flag: 'S' }));
  const archive = Buffer.concat([sparse, body('x'.repeat(512)), file('next', 'n'), end]);
  assert.deepEqual(
    walk(archive).map(({ name, isSparse }) => [name, isSparse]),
    [
      ['s', true],
      ['next', false],
    ],
  );
  const viaPax = Buffer.concat([
    pax({ 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '99' }),
    file('x', 'map'),
    end,
  ]);
  assert.deepEqual(
    walk(viaPax).map(({ name, isSparse }) => [name, isSparse]),
    [['real', true]],
  );
});

test('malformed archives are WB-844', () => {
  const wrongSum = Buffer.from(file('x', 'y'));
  wrongSum[0] = 0x7a;
  const cases: Record<string, () => Uint8Array> = {
    checksum: () => wrongSum,
    'text as size': () => Buffer.concat([header({ name: 'x', size: 'zz9\0' }), end]),
    'negative size': () => header({ name: 'x', size: Buffer.alloc(12, 0xff) }),
    'huge size': () =>
      header({ name: 'x', size: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0x7f)]) }),
    'ends in a header': () => file('x', 'y').subarray(0, 300),
    'ends in a body': () => file('x', 'y'.repeat(600)).subarray(0, 900),
    'ends after an extended header': () => pax({ path: 'x' }),
    'broken PAX record': () => Buffer.concat([file('p', '99 path=x\n', 'x'), file('x', ''), end]),
    'NUL in a PAX path': () => Buffer.concat([pax({ path: 'a\0b' }), file('x', ''), end]),
    'negative PAX size': () => Buffer.concat([pax({ size: '-1' }), file('x', ''), end]),
    'global header with a path': () => Buffer.concat([pax({ path: 'all' }, 'g'), file('x', ''), end]),
  };
  for (const [label, archive] of Object.entries(cases)) {
    assert.doesNotThrow(() => refuses('WB-844', archive), label);
  }
});

test('a name may be as long as the limit and not one byte longer', () => {
  const named = (length: number): Uint8Array =>
    Buffer.concat([pax({ path: 'n'.repeat(length) }), file('x', ''), end]);
  assert.equal(walk(named(limits.pathBytes))[0]?.name.length, limits.pathBytes);
  refuses('WB-845', () => named(limits.pathBytes + 1));
});

test('an extended header may be as large as the limit and not one byte larger', () => {
  const padded = (size: number): Uint8Array => {
    const overhead = Buffer.byteLength(paxRecord('c', 'x'.repeat(size - 20))) - (size - 20);
    return Buffer.concat([pax({ c: 'x'.repeat(size - overhead) }), file('x', ''), end]);
  };
  assert.equal(walk(padded(limits.tarExtensionBytes)).length, 1);
  refuses('WB-845', () => padded(limits.tarExtensionBytes + 1));
});

test('what lies behind the end of an archive is noticed wherever it is, and zeros are none', () => {
  const doubtOf = (behind: number, last: number): string | undefined => {
    const walker = new TarWalker(() => undefined);
    const archive = Buffer.concat([file('a', 'x'), end, Buffer.alloc(behind), Uint8Array.of(last)]);
    for (let at = 0; at < archive.length; at += 200_000) walker.push(archive.subarray(at, at + 200_000));
    walker.finish();
    return walker.doubt;
  };
  for (const behind of [0, 65_535, 65_536, 300_000]) {
    assert.equal(doubtOf(behind, 0), undefined);
    assert.match(doubtOf(behind, 1) ?? '', /says it ends, and goes on/);
  }
});
