import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { FixedClock } from '#base/clock';
import { WaybillError } from '#base/reason';
import { sntpSource } from '#platform/sntp';
import { systemRandom } from '#platform/system';
import { type FakeNtp, fakeNtp, type NtpLie } from './fake-ntp.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const servers: FakeNtp[] = [];
after(() => Promise.all(servers.map((server) => server.close())));

async function asked(lie: NtpLie, now = NOW, timeoutMs = 60_000) {
  const clock = new FixedClock(now);
  const server = await fakeNtp(() => clock.now(), lie);
  servers.push(server);
  const source = sntpSource({ host: '127.0.0.1', port: server.port, clock, random: systemRandom, timeoutMs });
  return { server, source };
}

test('the offset of a server is told to the millisecond, ahead and behind, beyond an era too', async () => {
  for (const offsetMs of [0, 1, -1, 999.5, -60_000, 86_400_000]) {
    const { source } = await asked({ offsetMs });
    assert.ok(Math.abs((await source.offset()) - offsetMs) < 0.01, `${offsetMs}`);
  }
  // The 32 bits of seconds begin anew on 2036-02-07.
  for (const now of [Date.UTC(2036, 1, 7, 6, 28, 15), Date.UTC(2037, 0, 1), Date.UTC(2150, 0, 1)]) {
    const { source } = await asked({ offsetMs: 2500 }, now);
    assert.ok(Math.abs((await source.offset()) - 2500) < 0.01, new Date(now).toISOString());
  }
});

test('a request is a client’s of version 4, and says nothing of this machine', async () => {
  const { server, source } = await asked({});
  await source.offset();
  await source.offset();
  const [first, second] = server.asked as [Buffer, Buffer];
  assert.equal(first.length, 48);
  assert.equal(first[0], 0b00_100_011);
  assert.ok(first.subarray(1, 40).every((byte) => byte === 0));
  assert.notDeepEqual(first.subarray(40), second.subarray(40));
});

test('an answer to something else is passed over', async () => {
  const { source } = await asked({ offsetMs: 7, isForged: true });
  assert.ok(Math.abs((await source.offset()) - 7) < 0.01);
});

const lies: Readonly<Record<string, readonly [NtpLie, RegExp]>> = {
  'a server that says nothing': [{ isSilent: true }, /no answer in 50 ms/],
  'a packet that is cut off': [{ bytes: 20 }, /no answer in 50 ms/],
  'a packet of a client': [{ mode: 3 }, /mode 3/],
  'a kiss of death': [{ stratum: 0, kiss: 'RATE' }, /refusal to serve: RATE/],
  'a server that is not synchronized': [{ leap: 3 }, /no time itself/],
  'a stratum that cannot be': [{ stratum: 16 }, /no time itself/],
  'a server far from its own reference': [{ rootDispersionMs: 4000 }, /4000 ms from its reference/],
  'an answer without a time': [{ isTimeless: true }, /without a time/],
  'an answer before its question': [{ isBackwards: true }, /left before its question/],
};
for (const [what, [lie, actual]] of Object.entries(lies)) {
  test(`${what} gives no time: WB-220`, async () => {
    const isUnanswered = lie.isSilent === true || lie.bytes !== undefined;
    const { source } = await asked(lie, NOW, isUnanswered ? 50 : 60_000);
    await assert.rejects(source.offset(), (error) => {
      assert.ok(error instanceof WaybillError);
      assert.equal(error.reason.code, 'WB-220');
      assert.match(error.reason.actual, actual);
      return true;
    });
  });
}

test('a name that leads nowhere, and a port nobody listens at, give no time: WB-220', async () => {
  const clock = new FixedClock(NOW);
  const closed = await fakeNtp(() => NOW);
  await closed.close();
  for (const [host, port] of [
    ['no.such.host.invalid', 123],
    ['127.0.0.1', closed.port],
  ] as const) {
    const source = sntpSource({ host, port, clock, random: systemRandom, timeoutMs: 500 });
    await assert.rejects(source.offset(), /WB-220/);
  }
});
