/** Witnesses over HTTP, and logs that publish only what witnesses cosigned. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { toBase64 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { limits } from '#base/limits';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { addCheckpointBody, cosignatureTime, cosignatureVerifier } from '#formats/cosignature';
import { formatCheckpoint, noteVerifier, parseNote, verifyNote } from '#formats/note';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import type { LogStore } from '#platform/store';
import { memoryCheckpointLock, memoryLogStore } from '#platform/store-memory';
import { openWitnessFiles, registerWitness, Witness } from '#services/witness';
import { checkpointSigner, cosignWith, openLog, parseWitnessPolicy } from '#tlog';
import { freePortBase } from '../free-ports.ts';
import { entry, fill, keyPair, ORIGIN, open, optionsFor, START_MS, signer } from '../tlog/fixture.ts';
import { quiet } from './log-fixture.ts';

const witnessKey = generateKey('ed25519');
const logVerifier = { name: ORIGIN, verifier: noteVerifier(ORIGIN, keyPair.publicKey) };
const closers: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const close of closers.reverse()) await close();
});

interface Running {
  readonly url: string;
  readonly key: string;
  readonly witness: Witness;
  close(): Promise<void>;
}

/** Nothing here says that a witness was asked but that it did not cosign. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(5);
}

async function start(name: string, stateFile?: string, port = 0): Promise<Running> {
  const config = {
    ...{ name, key: witnessKey, clock: new FixedClock(START_MS), log: quiet },
    logs: [{ origin: ORIGIN, key: logVerifier }],
    ...(stateFile === undefined ? {} : { stateFile }),
  };
  const witness = new Witness(config);
  const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 });
  registerWitness(app, witness, config);
  const url = await listen(app, '127.0.0.1', port);
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await app.close();
    witness.close();
  };
  closers.push(close);
  return { url, key: witness.verifierKey, witness, close };
}

async function post(url: string, body: string): Promise<{ status: number; type: string; text: string }> {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
}

/** A log and the bodies that bring a witness from one of its sizes to another. */
async function history(size: number) {
  const store = memoryLogStore();
  const log = await open(store);
  const notes = new Map<number, string>();
  for (let i = 1; i <= size; i++) {
    await log.append(entry(i));
    notes.set(i, log.tree.checkpoint);
  }
  const body = async (oldSize: number, to: number, proofFrom = oldSize): Promise<string> => {
    const proof = proofFrom === 0 ? [] : await log.consistency(proofFrom, to);
    return addCheckpointBody({ oldSize, proof, note: notes.get(to) as string });
  };
  return { log, notes, body };
}

test('a witness cosigns what extends the tree it saw, with a time, and says the size when asked from another', async () => {
  const { url, key } = await start('w.example/one');
  const { notes, body } = await history(9);
  const first = await post(url, await body(0, 3));
  assert.equal(first.status, 200);
  const note = unwrap(parseNote(`${notes.get(3)}${first.text}`));
  const verifier = cosignatureVerifier('w.example/one', witnessKey.publicKey);
  assert.equal(unwrap(verifyNote(note, [verifier]))[0], verifier);
  assert.equal(cosignatureTime(note.signatures[1]!.signature) * 1000, START_MS);
  assert.equal((await (await fetch(url)).text()).trim(), key);
  const stale = await post(url, await body(0, 7));
  assert.deepEqual(stale, { status: 409, type: 'text/x.tlog.size', text: '3\n' });
  assert.equal((await post(url, await body(3, 7))).status, 200);
  assert.equal((await post(url, await body(7, 7))).status, 200, 'the same checkpoint again');
  assert.deepEqual(await post(url, await body(3, 7)), { status: 409, type: 'text/x.tlog.size', text: '7\n' });
  assert.equal((await post(url, await body(7, 8))).status, 200);
});

test('every refusal has its own status, and none moves what the witness saw', async () => {
  const { url } = await start('w.example/two');
  const { notes, body } = await history(9);
  await post(url, await body(0, 5));
  const status = async (text: string) => (await post(url, text)).status;
  const foreign = checkpointSigner({ origin: 'other.example', signer: keyPair });
  const forger = checkpointSigner({ origin: ORIGIN, signer: generateKey('ed25519') });
  const root = new Uint8Array(32);
  const wrap = (note: string, oldSize = 5) => addCheckpointBody({ oldSize, proof: [], note });
  assert.equal(await status(wrap(foreign.sign({ size: 9, root }))), 404);
  assert.equal(await status(wrap(forger.sign({ size: 9, root }))), 403);
  assert.equal(await status(wrap(notes.get(3) as string)), 400, 'old size beyond the checkpoint');
  assert.equal(await status(await body(5, 9, 4)), 422, 'a proof from another size');
  assert.equal(await status(wrap(notes.get(9) as string)), 422, 'no proof');
  assert.equal(await status(wrap(signer.sign({ size: 5, root }))), 409, 'another tree of this size');
  assert.equal(await status(wrap(signer.sign({ size: 9, root }))), 422, 'a fork');
  const many = Array.from({ length: limits.proofHashes + 1 }, () => toBase64(root)).join('\n');
  const malformed = [
    '',
    'old 5',
    'old x\n\nnote',
    `old 05\n\n${notes.get(9)}`,
    `old 5\nAA==\n\n${notes.get(9)}`,
  ];
  for (const text of [
    ...malformed,
    `old 5\n${many}\n\n${notes.get(9)}`,
    `old 5\n\n${formatCheckpoint(ORIGIN, 9, root)}`,
  ])
    assert.equal(await status(text), 400, text.slice(0, 20));
  assert.equal(await status(`old 5\n\n${'x'.repeat(70_000)}`), 413);
  assert.equal(await status(await body(5, 9)), 200, 'it still stands at 5');
});

test('of concurrent requests from one size at most one tree is cosigned', async () => {
  const { url } = await start('w.example/race');
  const { body } = await history(12);
  await post(url, await body(0, 4));
  const answers = await Promise.all(
    [5, 6, 7, 8, 9, 10, 11, 12].map(async (to) => post(url, await body(4, to))),
  );
  const statuses = answers.map((answer) => answer.status).sort((a, b) => a - b);
  assert.deepEqual(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
});

test('a witness remembers over a restart what it saw', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-witness-'));
  closers.unshift(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'seen.db');
  const { body } = await history(6);
  const first = await start('w.example/kept', file);
  await post(first.url, await body(0, 4));
  await first.close();
  const second = await start('w.example/kept', file);
  assert.equal((await post(second.url, await body(0, 6))).text, '4\n');
  assert.equal((await post(second.url, await body(4, 6))).status, 200);
});

test('the time of cosignatures never goes back, over a restart either', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waybill-witness-'));
  closers.unshift(() => rmSync(folder, { recursive: true, force: true }));
  const stateFile = join(folder, 'seen.db');
  const { body } = await history(6);
  const at = (ms: number): { readonly clock: FixedClock; readonly witness: Witness } => {
    const clock = new FixedClock(ms);
    const logs = [{ origin: ORIGIN, key: logVerifier }];
    return {
      clock,
      witness: new Witness({ name: 'w.example/t', key: witnessKey, clock, log: quiet, logs, stateFile }),
    };
  };
  const ask = async (witness: Witness, from: number, to: number): Promise<number> => {
    const answer = witness.addCheckpoint(new TextEncoder().encode(await body(from, to)));
    assert.equal(answer.kind, 'cosigned');
    const lines = answer.kind === 'cosigned' ? answer.lines : '';
    const { signatures } = unwrap(parseNote(`x\n\n${lines}`));
    return cosignatureTime(signatures[0]!.signature) * 1000;
  };
  const isClock = (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === 'WB-1196';
  const first = at(START_MS);
  assert.equal(await ask(first.witness, 0, 3), START_MS);
  first.clock.advance(-1000);
  assert.equal(await ask(first.witness, 3, 4), START_MS, 'a second back: the time stands still');
  first.clock.advance(-5000);
  await assert.rejects(ask(first.witness, 4, 5), isClock);
  first.witness.close();
  assert.throws(() => at(START_MS - 3_600_000), isClock, 'nor does it start an hour earlier');
  const second = at(START_MS + 1000);
  assert.equal(
    await ask(second.witness, 4, 5),
    START_MS + 1000,
    'the refused checkpoint was not counted as seen',
  );
  second.witness.close();
});

test('a key whose memory is lost, or a memory whose key is, cosigns nothing: WB-1197, until a new key begins', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-witness-'));
  closers.unshift(() => rmSync(dir, { recursive: true, force: true }));
  const files = (isNewKey = false) => openWitnessFiles(dir, { isNewKey, now: START_MS });
  const memory = join(dir, 'seen.db');
  const isMemory = (error: unknown): boolean =>
    error instanceof WaybillError && error.reason.code === 'WB-1197' && error.message.includes(memory);
  const cosignOne = async (): Promise<Uint8Array> => {
    const logs = [{ origin: ORIGIN, key: logVerifier }];
    const opened = await files();
    const witness = new Witness({
      ...{ name: 'w.example/f', clock: new FixedClock(START_MS), log: quiet, logs },
      ...opened,
    });
    const { body } = await history(2);
    const answer = witness.addCheckpoint(new TextEncoder().encode(await body(0, 2)));
    assert.equal(answer.kind, 'cosigned');
    witness.close();
    return opened.key.publicKey.spki;
  };
  const first = await cosignOne();
  assert.deepEqual((await files()).key.publicKey.spki, first);
  for (const lose of [() => rmSync(memory), () => writeFileSync(memory, '')]) {
    lose();
    await assert.rejects(files(), isMemory);
  }
  const second = (await files(true)).key.publicKey.spki;
  assert.notDeepEqual(second, first);
  assert.equal(readdirSync(join(dir, 'keys')).length, 2, 'the old key is kept aside');
  assert.deepEqual(await cosignOne(), second);
  rmSync(join(dir, 'keys', 'witness.key'));
  await assert.rejects(files(), isMemory);
});

const policyOf = (lines: readonly string[], quorum: string) =>
  unwrap(parseWitnessPolicy([...lines, `quorum ${quorum}`].join('\n')));

const cosigner = (policy: ReturnType<typeof policyOf>, mode: 'open' | 'closed', failed: string[] = []) =>
  cosignWith({
    ...{ policy, mode, transport: httpTransport(), timeoutMs: 60_000 },
    onFailure: (name, why) => failed.push(`${name} ${why.code}`),
  });

test('a log publishes checkpoints with the cosignatures its policy demands, also a witness that is new or behind', async () => {
  const [one, two] = [await start('w.example/a'), await start('w.example/b')];
  const lines = [`witness A ${one.key} ${one.url}`, `witness B ${two.key} ${two.url}`, 'group both all A B'];
  const policy = policyOf(lines, 'both');
  const store = memoryLogStore();
  const plain = await open(store);
  await fill(plain, 0, 300);
  await plain.close();
  const log = await open(store, { cosign: cosigner(policy, 'closed') });
  const { logged } = await log.append(entry('x'));
  for (const checkpoint of [logged.proof.checkpoint, log.tree.checkpoint, await store.published()]) {
    const note = unwrap(parseNote(checkpoint as string));
    assert.equal(
      unwrap(
        verifyNote(
          note,
          policy.witnesses.map((w) => w.key.verifier),
        ),
      ).length,
      2,
    );
    assert.ok(signer.open(checkpoint as string).ok, 'the log’s own signature stands beside them');
  }
  assert.equal((await store.lock.read())?.includes('w.example'), false, 'the lock holds what the log signed');
  const { logged: last } = await log.append(entry('y'));
  await log.close();
  // Opened while its witnesses are away: what they cosigned is public, and stays.
  await Promise.all([one.close(), two.close()]);
  const again = await open(store, { cosign: cosigner(policy, 'closed') });
  assert.equal(again.tree.checkpoint, last.proof.checkpoint);
  await again.close();
});

test('without its quorum a closed log waits and answers nobody; it goes on when the witness is back', async () => {
  const port = await freePortBase();
  const one = await start('w.example/away', undefined, port);
  const failed: string[] = [];
  const policy = policyOf([`witness A ${one.key} ${one.url}`], 'A');
  const store = memoryLogStore();
  const log = await open(store, { cosign: cosigner(policy, 'closed', failed) });
  await log.append(entry(0));
  await one.close();
  let answered = false;
  const waiting = log.append(entry(1)).finally(() => {
    answered = true;
  });
  await until(() => failed.length > 1);
  assert.equal(answered, false);
  assert.equal(log.tree.size, 1, 'readers see what was witnessed');
  assert.match(failed[0] ?? '', /^A WB-20/);
  await start('w.example/away', undefined, port);
  const { logged } = await waiting;
  assert.equal(logged.index, 1);
  assert.match(logged.proof.checkpoint, /w\.example\/away/);
  await log.close();
});

test('without its quorum an open log publishes what it has, and says who is missing', async () => {
  const one = await start('w.example/there');
  const failed: string[] = [];
  const gone = one.key;
  const lines = [
    `witness A ${one.key} ${one.url}`,
    `witness B ${gone} http://127.0.0.1:1/`,
    'group both all A B',
  ];
  const log = await open(memoryLogStore(), { cosign: cosigner(policyOf(lines, 'both'), 'open', failed) });
  const { logged } = await log.append(entry(0));
  assert.match(logged.proof.checkpoint, /— w\.example\/there /);
  assert.ok(failed.includes('B WB-201'), failed.join());
  await log.close();
});

test('a log that is closed while it waits for witnesses is finished by the next opening', async () => {
  const one = await start('w.example/late');
  await one.close();
  const store = memoryLogStore();
  const policy = policyOf([`witness A ${one.key} ${one.url}`], 'A');
  const failed: string[] = [];
  const cosign = cosigner(policy, 'closed', failed);
  const log = await open({ ...store, close: async () => {} }, { cosign });
  const waiting = log.append(entry(0));
  const refused = assert.rejects(
    waiting,
    (error) => error instanceof WaybillError && error.reason.code === 'WB-404',
  );
  await until(() => failed.length > 0);
  await log.close();
  await refused;
  const again = await open(store);
  assert.equal((await again.append(entry(0))).duplicate, true);
});

test('a log opens while its witnesses are away: it serves what they cosigned, takes entries when they are back, and closes at once', async () => {
  const port = await freePortBase();
  const one = await start('w.example/away', undefined, port);
  const failed: string[] = [];
  const policy = policyOf([`witness A ${one.key} ${one.url}`], 'A');
  const store: LogStore = { ...memoryLogStore(), close: async () => {} };
  const options = { cosign: cosigner(policy, 'closed', failed) };
  const first = await open(store, options);
  await first.append(entry(0));
  await one.close();
  const lost = first.append(entry(1)).catch(() => {});
  await until(() => failed.length > 0);
  await first.close();
  await lost;
  const second = await open(store, options);
  assert.deepEqual([second.tree.size, second.isBehind], [1, true]);
  assert.equal((await second.entry(0)).index, 0);
  await second.close();
  const third = await open(store, options);
  const again = third.append(entry(1));
  const other = third.append(entry(2));
  await start('w.example/away', undefined, port);
  assert.equal((await again).duplicate, true);
  assert.equal((await other).logged.index, 2);
  assert.deepEqual([third.tree.size, third.isBehind, third.stopped], [3, false, undefined]);
  assert.deepEqual((await third.check()).problems, []);
});

/** The fork a stolen or copied log key can make: the same origin and key, another history. */
test('a fork of a witnessed log gets no cosignature and is never published', async () => {
  const one = await start('w.example/guard');
  const policy = policyOf([`witness A ${one.key} ${one.url}`], 'A');
  const honest = await open(memoryLogStore(), { cosign: cosigner(policy, 'closed') });
  await fill(honest, 0, 3);
  const failed: string[] = [];
  const evil: LogStore = { ...memoryLogStore(), lock: memoryCheckpointLock() };
  const fork = await openLog(optionsFor(evil, { cosign: cosigner(policy, 'closed', failed) }));
  const attempt = fork.append(entry('evil')).catch((error: unknown) => error);
  await until(() => failed.length > 0);
  assert.equal((await evil.published())?.includes(`${ORIGIN}\n1\n`), false);
  assert.ok(failed.every((line) => line === 'A WB-415') && failed.length > 0, failed.join());
  await fork.close();
  assert.ok((await attempt) instanceof WaybillError);
  await honest.append(entry('more'));
  assert.equal(honest.stopped, undefined);
});

test('a witness refuses a configuration it could not keep', () => {
  const base = { name: 'w', key: witnessKey, clock: new FixedClock(0), log: quiet };
  const logs = [{ origin: ORIGIN, key: logVerifier }];
  const wrong = [
    { ...base, logs, key: generateKey('p256') },
    { ...base, logs, name: 'a b' },
    { ...base, logs: [] },
    { ...base, logs: [...logs, ...logs] },
  ];
  for (const config of wrong) {
    assert.throws(
      () => new Witness(config),
      (error) => error instanceof WaybillError && error.reason.code === 'WB-1190',
    );
  }
  assert.throws(
    () => cosigner(policyOf([`witness A ${new Witness({ ...base, logs }).verifierKey}`], 'A'), 'closed'),
    (error) => error instanceof WaybillError && error.reason.code === 'WB-414',
  );
});
