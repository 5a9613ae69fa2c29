/** A mirror that is down or misaddressed is unavailable; only metadata that does not verify is a verdict. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { fail, type WaybillError } from '#base/reason';
import type { Transport } from '#platform/http-client';
import { R as platform } from '#platform/reasons';
import { systemClock } from '#platform/system';
import { base, code, DAY, load, mirror, noNetwork, source, transport } from './world.ts';

let counter = 0;
const refused =
  (wanted: string, exit: number, ...says: readonly RegExp[]) =>
  (error: WaybillError): boolean => {
    code(wanted, exit)(error);
    for (const part of says) assert.match(error.message, part);
    return true;
  };
const cache = (): string => `down-${counter++}`;

for (const [path, status] of [
  ['/timestamp.json', 403],
  ['/1.snapshot.json', 403],
  ['/timestamp.json', 302],
  ['/2.root.json', 503],
] as const) {
  test(`status ${status} for ${path} is nobody's word about it (WB-609)`, async () => {
    const from = await mirror();
    from.lies.set(path, status);
    const said = refused('WB-609', 20, new RegExp(`${from.url}${path}`), new RegExp(`status ${status}`));
    await assert.rejects(load(source(from, cache())), said);
  });
}

test('403 for the next root is its absence: buckets that are not listed answer so', async () => {
  const from = await mirror();
  from.lies.set('/2.root.json', 403);
  assert.ok(await load(source(from, cache())));
});

for (const path of ['/2.root.json', '/timestamp.json', '/1.targets.json']) {
  test(`a page of HTML for ${path} is unavailable (WB-609)`, async () => {
    const from = await mirror();
    from.lies.set(path, utf8('\n<!doctype html><title>Log in</title>'));
    await assert.rejects(load(source(from, cache())), refused('WB-609', 20, /HTML/, new RegExp(path)));
  });
}

test('an address without timestamp.json is told as no TUF repository (WB-609)', async () => {
  const from = await mirror();
  from.lies.set('/timestamp.json', 404);
  const said = refused('WB-609', 20, /a TUF repository at http/, /check the address/);
  await assert.rejects(load(source(from, cache())), said);
  const folder = join(base, cache());
  await mkdir(folder);
  const empty = { mirror: pathToFileURL(folder).href };
  await assert.rejects(
    load(source(from, cache(), empty), noNetwork),
    refused('WB-609', 20, /TUF repository at file:/),
  );
});

test('a redirect that is not followed is told with where it goes', async () => {
  const from = await mirror();
  const elsewhere: Transport = {
    ...transport,
    request: async () => {
      throw fail(platform.redirect, { expected: 'none', actual: 'redirect 1 to http://elsewhere.example' });
    },
  };
  const said = refused('WB-609', 20, /2\.root\.json/, /http:\/\/elsewhere\.example/);
  await assert.rejects(load(source(from, cache()), elsewhere), said);
});

test('expired metadata says which, when, and whose, without words of a library', async () => {
  const clock = new FixedClock(systemClock.now() - 20 * DAY);
  const from = await mirror(clock);
  const said = refused(
    'WB-602',
    16,
    /timestamp\.json is expired: version 1 ended 20\d\d-/,
    new RegExp(from.url),
  );
  await assert.rejects(load(source(from, cache())), (error: WaybillError) => {
    assert.doesNotMatch(error.message, /Error:|Final/);
    return said(error);
  });
});
