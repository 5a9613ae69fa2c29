import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { toHex, utf8 } from '#base/bytes';
import { generateKey, type KeyHolder, verifySignature } from '#base/crypto';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { createLogger } from '#platform/telemetry';
import { ExternalSigner, type ExternalSignerOptions } from '#sign';

const dir = mkdtempSync(join(tmpdir(), 'waybill-test-signer-'));
const signers: ExternalSigner[] = [];
after(async () => {
  for (const signer of signers) await signer.close();
  rmSync(dir, { recursive: true, force: true });
});
const key = generateKey('p256');
const keyFile = join(dir, 'key.pem');
writeFileSync(keyFile, key.exportPem(), { mode: 0o600 });
const data = utf8('to be signed');

interface Fixture {
  readonly signer: ExternalSigner;
  readonly lines: string[];
}

let count = 0;
/** `once`: the fault happens once, and the process that follows is good. */
function start(
  mode: string,
  { once = false, ...over }: Partial<ExternalSignerOptions> & { readonly once?: boolean } = {},
): Fixture {
  const lines: string[] = [];
  const log = createLogger('ca', 'trace', { write: (line: string) => void lines.push(line) });
  const flag = once ? [join(dir, `flag-${count++}`)] : [];
  const signer = new ExternalSigner({
    command: process.execPath,
    args: [join(import.meta.dirname, 'fake-signer.ts'), keyFile, mode, ...flag],
    env: process.env,
    log,
    // Nothing is late unless a test says so, however slow the machine.
    timeoutMs: 60_000,
    startMs: 60_000,
    restMs: 50,
    ...over,
  });
  signers.push(signer);
  return { signer, lines };
}

const codeOf = (code: string, actual: RegExp) => (error: unknown) => {
  assert.ok(error instanceof WaybillError, String(error));
  assert.equal(error.reason.code, code, error.message);
  assert.match(error.reason.actual, actual);
  assert.equal(error.reason.status, 503);
  return true;
};

/** Asks until it signs again. */
async function recovers(holder: KeyHolder, signer: ExternalSigner): Promise<void> {
  for (let i = 0; i < 6000; i++) {
    const signature = await holder.sign(data).catch(() => undefined);
    if (signature !== undefined) {
      assert.ok(verifySignature(key.publicKey, data, signature));
      assert.equal(signer.trouble, undefined);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`not there again: ${signer.trouble}`);
}

test('a good process signs, many at a time, and what it gives verifies', async () => {
  const { signer } = start('good');
  const holder = await signer.holder('k');
  assert.equal(toHex(holder.publicKey.spki), toHex(key.publicKey.spki));
  const all = await Promise.all(
    Array.from({ length: limits.signerInFlight }, (_, i) => holder.sign(utf8(`${i}`))),
  );
  for (const [i, signature] of all.entries())
    assert.ok(verifySignature(key.publicKey, utf8(`${i}`), signature));
  const crowd = await Promise.allSettled(
    Array.from({ length: limits.signerInFlight + 1 }, () => holder.sign(data)),
  );
  const refused = crowd.filter((one) => one.status === 'rejected');
  assert.equal(refused.length, 1);
  assert.ok(codeOf('WB-823', /256 questions under way/)(refused[0]!.reason));
  await signer.close();
  await assert.rejects(holder.sign(data), codeOf('WB-823', /stops/));
});

test('a slow start is waited for', async () => {
  const { signer } = start('slow-start', { timeoutMs: 300 });
  const holder = await signer.holder('k');
  assert.equal(toHex(holder.publicKey.spki), toHex(key.publicKey.spki));
});

test('a key it does not know, and a program that is not there, end the start with its words', async () => {
  const { signer } = start('good');
  await assert.rejects(signer.holder('ca'), codeOf('WB-823', /no key ca/));
  const none = start('good', { command: join(dir, 'no-such-program') });
  await assert.rejects(none.signer.holder('k'), codeOf('WB-823', /ENOENT/));
  const slow = start('slow-start', { startMs: 20, timeoutMs: 20 });
  await assert.rejects(slow.signer.holder('k'), codeOf('WB-823', /none within 20 ms/));
});

test('a signature of another key never leaves', async () => {
  const { signer, lines } = start('wrong-signature', { once: true });
  const holder = await signer.holder('k');
  await assert.rejects(holder.sign(data), codeOf('WB-824', /another/));
  assert.ok(lines.some((line) => line.includes('its key did not make')));
  assert.ok(verifySignature(key.publicKey, data, await holder.sign(data)));
});

test('an answer without base64 is named', async () => {
  const { signer } = start('no-base64');
  const holder = await signer.holder('k');
  await assert.rejects(holder.sign(data), codeOf('WB-824', /./));
});

test('a refusal is logged with its words, cut short, and told to clients without them', async () => {
  const { signer, lines } = start('refuses');
  const holder = await signer.holder('k');
  await assert.rejects(holder.sign(data), (error) => {
    assert.doesNotMatch(String(error), /1234/);
    return codeOf('WB-823', /it refused/)(error);
  });
  const line = lines.find((one) => one.includes('slot 3 is locked'));
  assert.ok(line !== undefined && line.length < 1000);
  assert.equal(signer.trouble, undefined);
});

const deaths: readonly (readonly [string, string, RegExp])[] = [
  ['dies in the middle', 'dies', /ended with code 3/],
  ['hangs', 'hangs', /none within 400 ms/],
  ['writes no JSON', 'no-json', /an answer that is none/],
  ['answers what nobody asked', 'foreign-id', /a question nobody asked/],
  ['writes a line without end', 'endless-line', /a line of more than 65536 bytes/],
];
for (const [what, mode, actual] of deaths) {
  test(`a process that ${what} fails what is under way and is started again`, async () => {
    const late = mode === 'hangs' ? { timeoutMs: 400 } : {};
    const { signer, lines } = start(mode, { once: true, restMs: 100, ...late });
    const holder = await signer.holder('k');
    await assert.rejects(holder.sign(data), codeOf('WB-823', actual));
    assert.notEqual(signer.trouble, undefined);
    await assert.rejects(holder.sign(data), codeOf('WB-823', /it is down/));
    await recovers(holder, signer);
    assert.ok(lines.some((line) => line.includes('is started again after a rest')));
  });
}

test('a process that comes back with another key is not worked with, and rests longer each time', async () => {
  const { signer, lines } = start('other-key-later', { once: true, restMs: 20 });
  const holder = await signer.holder('k');
  await assert.rejects(holder.sign(data), codeOf('WB-823', /code 3/));
  const rests = (): number[] =>
    lines.flatMap((line) => (JSON.parse(line) as { restMs?: number }).restMs ?? []);
  while (rests().length < 3) {
    const signed = await holder.sign(data).catch(() => undefined);
    assert.equal(signed, undefined);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.deepEqual(rests().slice(0, 3), [20, 40, 80]);
  assert.match(signer.trouble ?? '', /another/);
});
