/** TSA-02: an authority whose clock its sources contradict stamps nothing, says so, and goes on by itself. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { FixedClock } from '#base/clock';
import { sha256 } from '#base/crypto';
import { limits } from '#base/limits';
import { buildTimeStampRequest, parseTimeStampResponse } from '#formats/tsp';
import { createHttpServer, type HttpApp } from '#platform/http-server';
import { memoryKeyStore } from '#platform/key-store';
import type { TimeSource } from '#platform/sntp';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { type ClockWatch, createTsa, openClockWatch, registerTsa } from '#services/tsa';
import { openStation, tsaParts } from '#stack';
import { type TimeFlags, timeSettings } from '../../../src/cli/time-options.ts';
import { fakeNtp } from '../../platform/fake-ntp.ts';
import { stationSettings, temporaryFolder } from '../../stack/serve-fixture.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const log = createLogger('tsa', 'silent');
const query = Buffer.from(buildTimeStampRequest({ hashName: 'sha256', hash: sha256(Uint8Array.of(1)) }));

/** A source that is so many milliseconds off, or silent. */
type Said = number | 'silent';

class World {
  readonly clock = new FixedClock(NOW);
  readonly said: Said[];
  readonly watch: ClockWatch;
  readonly app: HttpApp;

  private constructor(said: Said[], watch: ClockWatch, app: HttpApp, clock: FixedClock) {
    this.said = said;
    this.watch = watch;
    this.app = app;
    this.clock = clock;
  }

  static async open(...first: Said[]): Promise<World> {
    const said = [...first];
    const clock = new FixedClock(NOW);
    const sources = said.map(
      (_, i): TimeSource => ({
        name: `source ${i}`,
        offset: async () => {
          const one = said[i];
          if (typeof one !== 'number') throw new Error('silent');
          return one;
        },
      }),
    );
    const watch = await openClockWatch({ sources, clock, log, everyMs: 60_000 });
    after(() => watch.close());
    const tsa = await createTsa({ keys: memoryKeyStore(), clock, random: systemRandom, log, watch });
    const app = createHttpServer({ log, bodyBytesMax: limits.tsaRequestBytes });
    registerTsa(app, { tsa, log });
    return new World(said, watch, app, clock);
  }

  async says(...said: Said[]): Promise<string> {
    this.said.splice(0, said.length, ...said);
    await this.watch.check();
    return this.answer();
  }

  /** `stamped`, or what was refused, in both forms of the API. */
  async answer(): Promise<string> {
    const ask = (accept: string) =>
      this.app.inject({
        method: 'POST',
        url: '/api/v1/timestamp',
        headers: { 'content-type': 'application/timestamp-query', accept },
        payload: query,
      });
    const [plain, der] = [await ask('*/*'), await ask('application/timestamp-reply')];
    const read = parseTimeStampResponse(new Uint8Array(der.rawPayload));
    assert.equal(der.statusCode, 200);
    assert.equal(read.ok, plain.statusCode === 200);
    if (read.ok) return 'stamped';
    assert.equal(plain.statusCode, 503);
    assert.match(read.error.actual, /timeNotAvailable/);
    assert.match(plain.json<{ message: string }>().message, /^Error generating timestamp response: WB-1058 /);
    assert.equal(this.watch.trouble()?.code, 'WB-1058');
    return this.watch.trouble()?.actual ?? '';
  }
}

test('TSA-02: a clock that one source contradicts stamps nothing, to the millisecond, until they agree again', async () => {
  const world = await World.open(0);
  assert.equal(await world.answer(), 'stamped');
  assert.equal(await world.says(1000), 'stamped');
  assert.equal(await world.says(-1000), 'stamped');
  assert.equal(await world.says(1001), 'source 0: 1001 ms off');
  assert.equal(await world.says('silent'), 'source 0: 1001 ms off', 'silence mends nothing');
  assert.equal(await world.says(-1001), 'source 0: -1001 ms off');
  assert.equal(await world.says(3), 'stamped');
});

test('TSA-02: of several sources more than half must agree; when they disagree with each other nothing is stamped', async () => {
  const three = await World.open(0, 5, -5);
  assert.equal(await three.says(0, 90_000, 0), 'stamped', 'one liar of three');
  assert.equal(
    await three.says(0, 90_000, 'silent'),
    'source 0: 0 ms off, source 1: 90000 ms off, source 2: silent',
  );
  assert.equal(
    await three.says(90_000, 90_000, 0),
    'source 0: 90000 ms off, source 1: 90000 ms off, source 2: 0 ms off',
  );
  assert.equal(await three.says(0, 0, 90_000), 'stamped');
  const two = await World.open(0, 0);
  assert.match(await two.says(0, 5000), /source 1: 5000 ms off/);
});

test('TSA-02: sources that fall silent leave the last comparison good for ten more, then nothing is stamped', async () => {
  const world = await World.open(0, 0, 0);
  for (let minute = 1; minute <= 10; minute++) {
    world.clock.advance(60_000);
    assert.equal(await world.says('silent', 'silent', 0), 'stamped', `minute ${minute}`);
  }
  world.clock.advance(1);
  assert.equal(await world.answer(), 'a comparison 600001 ms ago');
  assert.equal(await world.says(0, 0, 'silent'), 'stamped');
  world.clock.advance(-60_000);
  assert.equal(
    await world.answer(),
    'a comparison -60000 ms ago',
    'a clock that was set back is another clock',
  );
  assert.equal(world.watch.errors.tooFew, 10);
  assert.equal(world.watch.errors.offset, 0);
  const deaf = await World.open('silent');
  assert.equal(await deaf.answer(), 'no answer yet');
});

test('TSA-02: the station asks real servers of time; readiness and metrics tell, under both names', async () => {
  const ntp = await Promise.all([1, 2, 3].map(() => fakeNtp(() => systemClock.now())));
  const dir = await temporaryFolder();
  const settings = stationSettings(dir, 'tsa', {
    ...{ admin: { host: '127.0.0.1', port: 0 }, sigstoreMetrics: true },
  });
  const ntpServers = ntp.map(({ port }) => ({ host: '127.0.0.1', port }));
  const station = await openStation('tsa', settings, (deps) =>
    tsaParts({ ntpServers, maxClockOffsetMs: 60_000, clockEveryMs: 20 }, deps),
  );
  after(async () => {
    await station.close();
    await Promise.all(ntp.map((server) => server.close()));
  });
  const ready = async (): Promise<string> => {
    const answer = await fetch(`${station.adminOrigin}/readyz`);
    return `${answer.status} ${await answer.text()}`;
  };
  const until = async (wanted: RegExp): Promise<void> => {
    for (let i = 0; i < 6000 && !wanted.test(await ready()); i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.match(await ready(), wanted);
  };
  const stamp = () =>
    fetch(`${station.origin}/api/v1/timestamp`, {
      ...{ method: 'POST', body: query, headers: { 'content-type': 'application/timestamp-query' } },
    });
  assert.equal(await ready(), '200 ok');
  assert.equal((await stamp()).status, 200);
  for (const server of ntp.slice(1)) server.lie = { offsetMs: 120_000 };
  await until(/^503 WB-1058 the clock cannot be believed: .*1(?:19|20)\d\d\d ms off/);
  assert.equal((await stamp()).status, 503);
  const metrics = await (await fetch(`${station.adminOrigin}/metrics`)).text();
  const host = `127.0.0.1:${ntp[0]?.port}`;
  for (const name of ['waybill_tsa', 'timestamp_authority']) {
    assert.match(
      metrics,
      new RegExp(`^${name}_ntp_sync_total\\{host="${host}",failed="false"\\} [1-9]`, 'm'),
    );
    assert.match(metrics, new RegExp(`^${name}_ntp_errors_total\\{reason="err_inv_time"\\} [1-9]`, 'm'));
  }
  assert.match(metrics, /^waybill_tsa_clock_offset_seconds 1(?:19|20)/m);
  for (const server of ntp.slice(1)) server.lie = {};
  await until(/^200 ok$/);
  assert.equal((await stamp()).status, 200);
});

test('TSA-02: sources are named by host and port, and an offset that a token could not admit is refused', () => {
  const flags = (ntpServer: readonly string[], maxClockOffset = '1s'): TimeFlags => ({
    ntpServer,
    maxClockOffset,
  });
  assert.deepEqual(timeSettings(flags(['time.example', '10.0.0.1:1123', '[2001:db8::1]:99'], '5s')), {
    ntpServers: [
      { host: 'time.example' },
      { host: '10.0.0.1', port: 1123 },
      { host: '2001:db8::1', port: 99 },
    ],
    maxClockOffsetMs: 5000,
  });
  for (const server of ['', 'a b', 'http://time.example', 'time.example:0', 'time.example:65536', '::1']) {
    assert.throws(() => timeSettings(flags([server])), /WB-1305.*--ntp-server HOST\[:PORT\]/, server);
  }
  for (const offset of ['0', '2m', '500ms', 'x']) {
    assert.throws(() => timeSettings(flags([], offset)), /WB-1305.*--max-clock-offset/, offset);
  }
});
