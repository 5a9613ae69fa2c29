import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WaybillError } from '#base/reason';
import {
  asFileError,
  inputChunks,
  makeFolderDurable,
  makeFoldersSync,
  readFileLimited,
  writeFileDurable,
} from '#platform/files';
import { lockDataOf, lockFolder } from '#platform/folder-lock';
import { httpTransport } from '#platform/http-client';
import { openDatabase } from '#platform/sqlite';

const folder = await mkdtemp(join(tmpdir(), 'waybill-test-files-'));
after(() => rm(folder, { recursive: true }));

const refused = (code: string, actual: RegExp) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, code);
  assert.match(error.reason.actual, actual);
  return true;
};

test('a file is read to its limit and refused beyond, also where it has no size', async () => {
  const path = join(folder, 'ten');
  await writeFile(path, '0123456789');
  assert.equal((await readFileLimited(path, 10)).length, 10);
  await assert.rejects(readFileLimited(path, 9), refused('WB-209', /^10 bytes$/));
  assert.equal((await readFileLimited('/dev/null', 9)).length, 0);
  await assert.rejects(readFileLimited('/dev/zero', 100_000), refused('WB-209', /^more$/));
});

test('errors of the file system become WB-209 in words; others stay what they are', async () => {
  const below = join(folder, 'ten', 'below');
  await assert.rejects(readFileLimited(join(folder, 'none'), 9), refused('WB-209', /^no such file .*ENOENT/));
  await assert.rejects(writeFileDurable(below, ''), refused('WB-209', /in the way/));
  const raw = await readdir(below).catch((error: unknown) => error);
  assert.equal(asFileError(raw)?.reason.code, 'WB-209');
  assert.equal(asFileError(new TypeError('ours')), undefined);
});

test('what is no file is written into and stays what it is', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const [read] = await Promise.all([readFile(pipe, 'utf8'), writeFileDurable(pipe, 'through')]);
  assert.equal(read, 'through');
  assert.ok((await lstat(pipe)).isFIFO());
  const full = join(folder, 'full');
  await symlink('/dev/full', full);
  await assert.rejects(writeFileDurable(full, 'lost'), refused('WB-209', /no space left \(ENOSPC\)/));
  assert.equal(await readlink(full), '/dev/full');
  assert.ok((await lstat('/dev/full')).isCharacterDevice());
});

test('a link is followed, also where it leads to nothing yet, and stays a link', async () => {
  const below = join(folder, 'links', 'below');
  await mkdir(below, { recursive: true });
  const [first, second, target] = [
    join(folder, 'links', 'first'),
    join(below, 'second'),
    join(below, 'target'),
  ];
  await symlink('below/second', first);
  await symlink('target', second);
  for (const text of ['made', 'replaced']) {
    await writeFileDurable(first, text);
    assert.equal(await readFile(target, 'utf8'), text);
    assert.ok((await lstat(target)).isFile());
    assert.deepEqual([await readlink(first), await readlink(second)], ['below/second', 'target']);
  }
  await symlink('self', join(below, 'self'));
  await assert.rejects(writeFileDurable(join(below, 'self'), ''), refused('WB-209', /leads to itself/));
  await symlink('.', join(below, 'here'));
  await assert.rejects(writeFileDurable(join(below, 'here'), ''), refused('WB-209', /a folder/));
  assert.deepEqual((await readdir(below)).sort(), ['here', 'second', 'self', 'target']);
});

test('an input that is a folder, or open for writing only, is no empty file', async () => {
  const drained = async (fd: number): Promise<number> => {
    let length = 0;
    for await (const chunk of inputChunks(fd)) length += chunk.length;
    return length;
  };
  const path = join(folder, 'input');
  await writeFile(path, 'abc');
  const cases: readonly (readonly [string, string, RegExp | undefined])[] = [
    [path, 'r', undefined],
    [folder, 'r', /^a folder \(EISDIR\)$/],
    [path, 'a', /^not open for that \(EBADF\)$/],
  ];
  for (const [name, flag, actual] of cases) {
    const fd = openSync(name, flag);
    if (actual === undefined) assert.equal(await drained(fd), 3);
    else await assert.rejects(drained(fd), refused('WB-209', actual));
    closeSync(fd);
  }
});

test('a database that is only read makes no folder', () => {
  assert.throws(() => openDatabase(join(folder, 'no', 'db'), { readOnly: true }));
  assert.equal(existsSync(join(folder, 'no')), false);
});

test('an address that is none, asked for or redirected to, is a reason and no defect', async () => {
  const transport = httpTransport();
  await assert.rejects(transport.request({ url: 'x' }), refused('WB-212', /"x"/));
  const server = createServer((_, response) => response.writeHead(302, { location: 'http://[' }).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const asked = transport.request({ url: `http://127.0.0.1:${port}/`, redirects: 1 });
  await assert.rejects(asked, refused('WB-204', /http:\/\/\[/));
  server.close();
});

test('a file below new folders is written, and where none can be made that is told at once (WB-209)', async () => {
  const path = join(folder, 'new', 'newer', 'file');
  await writeFileDurable(path, 'content');
  assert.equal(await readFile(path, 'utf8'), 'content');
  if (process.platform !== 'linux') return console.log('note: not Linux; writing below /proc did not run');
  await assert.rejects(writeFileDurable('/proc/self/new/file', ''), refused('WB-209', /./));
  for (const use of [
    lockFolder,
    makeFolderDurable,
    makeFoldersSync,
    (at: string) => openDatabase(join(at, 'db')),
  ]) {
    assert.throws(() => use('/proc/self/new/folder'), refused('WB-209', /./));
  }
});

test('the lock of a folder is taken with those of the data directories it lies in, through links too', async () => {
  const [data, elsewhere] = [join(folder, 'stack'), join(folder, 'elsewhere')];
  await mkdir(join(elsewhere, 'tree'), { recursive: true });
  await mkdir(data);
  await symlink(elsewhere, join(data, 'log'));
  const running = lockFolder(data);
  const tree = join(data, 'log', 'tree');
  assert.throws(() => lockDataOf(tree), refused('WB-210', new RegExp(`process ${process.pid} `)));
  running.release();
  const freezing = lockDataOf(tree);
  assert.throws(() => lockFolder(data), refused('WB-210', /./));
  freezing.release();
  lockFolder(data).release();
  lockFolder(tree).release();
});
