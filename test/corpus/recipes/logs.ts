/** Entries, proofs and checkpoints that are not what they say. */
import { toBase64 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import type { JsonObject } from '#formats/json';
import { ed25519KeyId, formatCheckpoint, type NoteSigner, noteSigner, signNote } from '#formats/note';
import { dsseV1Body, hashedRekordV1Body } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { at, edit, flip } from '../../double/json-edits.ts';
import type { VirtualLog } from '../../double/virtual-log.ts';
import { type Parts, verifierPem } from '../../double/virtual-stack.ts';
import { ARTIFACT } from '../draft.ts';
import { keyNamed, logNamed, moment, stack } from '../world.ts';
import { number, type Recipes, text } from './recipe.ts';

const proof = 'verificationMaterial.tlogEntries.0.inclusionProof';
const checkpoint = `${proof}.checkpoint.envelope`;

interface Head {
  readonly note: string;
  /** Text of the note, without its last newline. */
  readonly lines: readonly string[];
  readonly size: number;
  readonly root: Uint8Array;
  readonly log: VirtualLog;
}

function headOf(json: JsonObject): Head {
  const note = text(at(json, checkpoint));
  const lines = (note.split('\n\n')[0] as string).split('\n');
  const [origin, size, root] = lines as [string, string, string];
  const log = origin === stack.rekorV2.origin ? stack.rekorV2 : stack.rekorV1;
  return { note, lines, size: Number(size), root: Buffer.from(root, 'base64'), log };
}

const by = (log: VirtualLog): NoteSigner => noteSigner(log.host, log.key);
const stranger = (name: string, kind: 'ed25519' | 'p256' = 'ed25519'): NoteSigner =>
  noteSigner(name, generateKey(kind));
const body = (head: Head): string => `${head.lines.join('\n')}\n`;
const lastLine = (note: string): string => note.trimEnd().split('\n').at(-1) as string;
/** The text with one line replaced, signed again by its log. */
const relined = (head: Head, line: number, value: string): string =>
  signNote(`${head.lines.map((old, i) => (i === line ? value : old)).join('\n')}\n`, by(head.log));

function forgedLine(head: Head): string {
  const [dash, name, encoded] = lastLine(head.note).split(' ') as [string, string, string];
  return `${dash} ${name} ${flip(encoded)}\n`;
}

const heads: Readonly<Record<string, (head: Head, argument: string) => string>> = {
  ofLog: (head, name) =>
    signNote(formatCheckpoint(logNamed(name).origin, head.size, head.root), by(logNamed(name))),
  origin: (head, origin) => signNote(formatCheckpoint(origin, head.size, head.root), by(head.log)),
  otherKey: (head) =>
    signNote(body(head), stranger(head.log.host, head.log.generation === 'v1' ? 'p256' : 'ed25519')),
  /** The name and key id of the log over a signature that is not its own. */
  collision: (head) => {
    const id = ed25519KeyId(head.log.host, 1, head.log.key.publicKey);
    const other = generateKey('ed25519');
    return signNote(body(head), { name: head.log.host, keyId: id, sign: (bytes) => other.sign(bytes) });
  },
  garbageBeside: (head) => `${head.note}${forgedLine(head)}`,
  garbageBefore: (head) => head.note.replace('\n\n', `\n\n${forgedLine(head)}`),
  unknownBeside: (head) => `${head.note}${lastLine(signNote(body(head), stranger('witness.example')))}\n`,
  unknownBefore: (head) =>
    head.note.replace('\n\n', `\n\n${lastLine(signNote(body(head), stranger('witness.example')))}\n`),
  severalWitnesses: (head) => {
    const lines = [1, 2, 3].map((n) => lastLine(signNote(body(head), stranger(`witness${n}.example`))));
    return `${body(head)}\n${lines[0]}\n${lastLine(head.note)}\n${lines[1]}\n${lines[2]}\n`;
  },
  otherKeyBeside: (head) => `${head.note}${lastLine(signNote(body(head), stranger(head.log.host)))}\n`,
  otherAlgorithmBeside: (head) => {
    const lines = [stranger(head.log.host, 'p256'), stranger('witness.example')].map((signer) =>
      lastLine(signNote(body(head), signer)),
    );
    return `${head.note}${lines.join('\n')}\n`;
  },
  withoutLine: (head, line) =>
    signNote(`${head.lines.filter((_, i) => i !== Number(line)).join('\n')}\n`, by(head.log)),
  witnessOnly: (head) => signNote(body(head), stranger('witness.example')),
  extraLine: (head) => signNote(`${body(head)}some extension\n`, by(head.log)),
  emptyExtraLine: (head) => signNote(`${body(head)}\n`, by(head.log)),
  carriageReturns: (head) => head.note.replaceAll('\n', '\r\n'),
  noBlankLine: (head) => head.note.replace('\n\n', '\n'),
  noFinalNewline: (head) => head.note.trimEnd(),
  size: (head, size) => relined(head, 1, size),
  root31: (head) => relined(head, 2, toBase64(new Uint8Array(31))),
  rootUnpadded: (head) => relined(head, 2, (head.lines[2] as string).replace(/=+$/, '')),
  notUtf8: (head) => head.note.replace(head.log.host, `${head.log.host}\ud800`),
  rewound: (head) => signNote(formatCheckpoint(head.log.origin, head.size - 1, head.root), by(head.log)),
};

/** Changes of the entry itself, before the bundle is put together; for both containers. */
const entries: Readonly<Record<string, (entry: TransparencyLogEntry) => TransparencyLogEntry>> = {
  promiseFlipped: (entry) => {
    const promise = Uint8Array.from(entry.inclusionPromise ?? []);
    promise[promise.length - 1] = (promise.at(-1) ?? 0) ^ 1;
    return { ...entry, inclusionPromise: promise };
  },
  promiseOfOther: (entry) => {
    const log = stack.rekorV1;
    return { ...entry, inclusionPromise: log.promise({ ...entry, logIndex: entry.logIndex + 1 }) };
  },
  laterTime: (entry) => ({ ...entry, integratedTime: entry.integratedTime + 1 }),
  otherIndex: (entry) => ({ ...entry, logIndex: entry.logIndex + 1 }),
  unknownLog: (entry) => ({ ...entry, logId: sha256(entry.logId) }),
};

const bodyHash = (bytes: Uint8Array) => ({ algorithm: 'sha256', value: sha256(bytes) }) as const;

/** Bodies that agree with the bundle in all but one part, properly logged. */
function rebodied(parts: Parts, part: string): TransparencyLogEntry {
  const { content, material } = parts;
  if (material.kind !== 'certificate' || !('tbs' in material.certificate))
    throw new Error('a certificate is wanted');
  const verifier = verifierPem({ certificate: material.certificate as never, key: keyNamed('p256') });
  const other = verifierPem({ certificate: stack.issue(keyNamed('p256'), moment(0)), key: keyNamed('p256') });
  const pem = part === 'verifier' ? other : verifier;
  const different = new TextEncoder().encode('something else');
  if (content.kind === 'message') {
    const signature = part === 'signature' ? keyNamed('p256').sign(ARTIFACT) : content.signature;
    const hash = bodyHash(part === 'digest' ? different : ARTIFACT);
    return stack.rekorV1.append(
      'hashedrekord',
      '0.0.1',
      hashedRekordV1Body({ hash, signature, verifier: pem }),
      moment(0),
    );
  }
  const { envelope } = content;
  const sig = envelope.signatures[0]?.sig ?? new Uint8Array();
  const signature = part === 'signature' ? keyNamed('p256').sign(envelope.payload) : sig;
  const made = dsseV1Body({
    envelopeHash: bodyHash(different),
    payloadHash: bodyHash(part === 'payloadHash' ? different : envelope.payload),
    signatures: [{ signature, verifier: pem }],
  });
  return stack.rekorV1.append('dsse', '0.0.1', made, moment(0));
}

export const logRecipes: Recipes = {
  checkpoint: (draft, name, argument) => {
    const make = heads[text(name)];
    if (make === undefined) throw new Error(`no checkpoint ${text(name)}`);
    draft.edits.push((json) =>
      edit(json, { [checkpoint]: make(headOf(json), argument === undefined ? '' : text(argument)) }),
    );
  },
  entry: (draft, name) => {
    const change = entries[text(name)];
    if (change === undefined) throw new Error(`no entry ${text(name)}`);
    draft.partEdits.push((parts) => ({ entries: parts.entries.map(change) }));
  },
  /** Logged with another signature, key, digest or payload hash than the bundle has. */
  loggedWithOther: (draft, part) => {
    draft.partEdits.push((parts) => ({ entries: [rebodied(parts, text(part))] }));
  },
  /** The index of the proof is that of the leaf plus this. */
  proofIndex: (draft, delta) => {
    draft.edits.push((json) => {
      const path = `${proof}.logIndex`;
      return edit(json, { [path]: `${Number(at(json, path)) + number(delta)}` });
    });
  },
};
