/** A broken root file is told as that, and no mirror is asked or blamed. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WaybillError } from '#base/reason';
import { mirrorFolder, pinRoot } from '#trust';
import { tellIn } from '../cli/in-process.ts';
import { base, code, load, mirror, noNetwork, rootText, source, transport } from './world.ts';

const from = await mirror();
const text = await readFile(from.root, 'utf8');
const file = async (name: string, content: string): Promise<string> => {
  const path = join(base, `root-${name}`);
  await writeFile(path, content);
  return path;
};
const broken: readonly (readonly [string, string])[] = [
  ['an empty file', await file('empty', '')],
  ['half a root', await file('half', text.slice(0, text.length / 2))],
  ['a trusted root', await file('trusted', rootText())],
  ['a list', await file('list', '[]')],
  ['another role', await file('role', Buffer.from((await from.tuf.read('timestamp.json')) ?? []).toString())],
  ['a root without its roles', await file('roles', '{"signed":{"_type":"root"},"signatures":[]}')],
  ['a folder', base],
  ['a device', '/dev/null'],
  ['nothing', join(base, 'root-nowhere')],
];
for (const [what, path] of broken) {
  test(`${what} as TUF root is named, with what to give instead (WB-614)`, async () => {
    await assert.rejects(
      load(source(from, 'root-file', { root: path }), noNetwork),
      (error: WaybillError) => {
        code('WB-614', 3)(error);
        assert.ok(error.reason.expected.includes(path), error.message);
        assert.match(error.reason.hint, /root\.json/);
        assert.doesNotMatch(error.message, /mirror/);
        return true;
      },
    );
  });
}

test('a root that its own keys did not sign is told of the file, not of the mirror', async () => {
  const path = await file('changed', text.replace(/"version": *1\b/, '"version":7'));
  await assert.rejects(load(source(from, 'root-file', { root: path }), noNetwork), (error: WaybillError) => {
    code('WB-601')(error);
    assert.ok(error.reason.expected.includes(path));
    assert.doesNotMatch(error.reason.hint, /mirror/);
    return true;
  });
});

test('a pinned root that was damaged is the fault of the cache (WB-606)', async () => {
  await pinRoot(source(from, 'damaged'), { transport });
  await writeFile(join(base, 'damaged', mirrorFolder(from.url), 'pinned.json'), 'x');
  const { root: _, ...later } = source(from, 'damaged');
  await assert.rejects(load(later, noNetwork), code('WB-606'));
});

test('cosign initialize names the file that was given', async () => {
  const home = join(base, 'root-home');
  await mkdir(home);
  const path = broken[0]?.[1] ?? '';
  const words = ['cosign', 'initialize', '--mirror', from.url, '--root', path];
  const told = await tellIn({ env: { HOME: home } }, words);
  assert.ok(told.stderr.includes(path) || told.reason?.expected.includes(path), JSON.stringify(told));
});
