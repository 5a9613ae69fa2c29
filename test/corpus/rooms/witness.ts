/** Witnesses, and the log that counts their cosignatures. */
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, type PrivateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { addCheckpointBody, cosign, formatVerifierKey, parseAddCheckpoint } from '#formats/cosignature';
import { leafHash, nodeHash } from '#formats/merkle';
import { formatCheckpoint, noteSigner, noteVerifier, parseNote, signNote } from '#formats/note';
import type { HttpRequest, Transport } from '#platform/http-client';
import { createLogger } from '#platform/telemetry';
import { Witness } from '#services/witness';
import { cosignWith, parseWitnessPolicy } from '#tlog';
import type { Answer } from '../doors.ts';
import { outcome, type Room, reasonOf } from './room.ts';

const START = Date.UTC(2026, 5, 1);
const ORIGIN = 'log.example';
const logKey = generateKey('ed25519');
const key = { name: ORIGIN, verifier: noteVerifier(ORIGIN, logKey.publicKey) };
const keys = [generateKey('ed25519'), generateKey('ed25519')] as const;
const [a, b, c] = ['a', 'b', 'c'].map((word) => leafHash(utf8(word))) as [Uint8Array, Uint8Array, Uint8Array];

const note = (size: number, root: Uint8Array): string =>
  signNote(formatCheckpoint(ORIGIN, size, root), noteSigner(ORIGIN, logKey));
const cosigned = note(2, nodeHash(a, b));

/** What a witness that cosigned a tree of two entries says to the next checkpoint. */
function witnessed(next: string): Promise<Answer> {
  const log = createLogger('corpus', 'silent');
  const config = {
    name: 'w',
    key: keys[0],
    clock: new FixedClock(START),
    log,
    logs: [{ origin: ORIGIN, key }],
  };
  return outcome(async () => {
    const witness = new Witness(config);
    const ask = (oldSize: number, text: string) =>
      witness.addCheckpoint(utf8(addCheckpointBody({ oldSize, proof: [], note: text })));
    try {
      ask(0, cosigned);
      const answer = ask(2, next);
      if (answer.kind === 'conflict') throw new WaybillError(await reasonOf('WB-1194', `${answer.size}`));
    } finally {
      witness.close();
    }
  });
}

const views: Readonly<Record<string, string>> = {
  split: note(2, nodeHash(a, c)),
  rollback: note(1, a),
};

/** Two witnesses by name; whatever is asked of either, this answers. */
function answering(line: (name: string, text: string) => string): Transport {
  return {
    request: async ({ url, body }: HttpRequest) => {
      const asked = unwrap(parseAddCheckpoint(body as Uint8Array));
      const { text } = unwrap(parseNote(asked.note));
      const name = new URL(url).hostname.split('.')[0] ?? '';
      return { status: 200, headers: new Map(), body: utf8(line(name, text)), url };
    },
    stream: () => {
      throw new Error('nothing is streamed');
    },
  };
}

const keyOf = (name: string): PrivateKey => (name === 'w1' ? keys[0] : keys[1]);
const policyText = ['w1', 'w2']
  .map(
    (name) =>
      `witness ${name} ${formatVerifierKey(name, keyOf(name).publicKey, 'witness')} https://${name}.example`,
  )
  .join('\n');
const policy = unwrap(parseWitnessPolicy(`${policyText}\ngroup both all w1 w2\nquorum both\n`));

/** Whether a checkpoint is published when the witnesses answer so. `patienceMs`: how long a quorum is waited for. */
function quorum(line: (name: string, text: string) => string, patienceMs: number): Promise<Answer> {
  const cosigner = cosignWith({ policy, transport: answering(line), mode: 'closed' });
  return outcome(() =>
    cosigner({
      checkpoint: cosigned,
      size: 2,
      consistency: async () => [],
      signal: AbortSignal.timeout(patienceMs),
    }),
  );
}

const lines: Readonly<Record<string, (name: string, text: string) => string>> = {
  honest: (name, text) => cosign(name, keyOf(name), text, START / 1000),
  twice: (_, text) => cosign('w1', keys[0], text, START / 1000),
  timeZero: (name, text) => cosign(name, keyOf(name), text, 0),
};

export const witnessRoom: Room = {
  view: async ([, name]) => ({
    twin: await witnessed(cosigned),
    answer: await witnessed(views[String(name)] ?? ''),
  }),
  quorum: async ([, name]) => ({
    twin: await quorum(lines['honest'] as never, 60_000),
    answer: await quorum(lines[String(name)] as never, 300),
  }),
};
