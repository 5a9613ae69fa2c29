/** LOG and TSP: log entries, proofs, checkpoints and times that must not be believed (attack corpus §2.6, §2.7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat, toBase64, utf8 } from '#base/bytes';
import { generateKey, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import type { JsonObject, JsonValue } from '#formats/json';
import { formatCheckpoint, noteSigner, signNote } from '#formats/note';
import { hashedRekordV1Body } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { extensionOf, extKeyUsage } from '#formats/x509-build';
import { identity, type Requirements, requireKey, requireKeyless, type TrustMaterial } from '#verify';
import { VirtualTsa } from '../double/virtual-ca.ts';
import { VirtualLog } from '../double/virtual-log.ts';
import {
  EPOCH,
  ISSUER,
  MINUTE,
  type SignOptions,
  SUBJECT,
  verifierPem,
  YEAR,
} from '../double/virtual-stack.ts';
import {
  type Attack,
  at,
  codeOf,
  edit,
  flip,
  outcomeOf,
  type Setup,
  shown,
  stack,
  testAttacks,
} from './attack.ts';

const SECOND = 1000;
type More = Omit<Setup, 'bundle' | 'artifact'>;

function signed(options: SignOptions = {}, more: More = {}): Setup {
  const sample = stack.sign(options);
  return { bundle: sample.bytes, artifact: sample.artifact, ...more };
}

/** Base bundles: each generation and each kind of content. */
const bases = {
  v1: stack.sign(),
  v1dsse: stack.sign({ statement: 'cosign' }),
  v1intoto: stack.sign({ statement: 'cosign', entryKind: 'intoto' }),
  v2: stack.sign({ logs: [stack.rekorV2] }),
  v2dsse: stack.sign({ logs: [stack.rekorV2], statement: 'cosign' }),
} as const;
type Base = keyof typeof bases;
const entry = 'verificationMaterial.tlogEntries.0';
const proof = `${entry}.inclusionProof`;
const checkpoint = `${proof}.checkpoint.envelope`;

function refuse(
  id: string,
  name: string,
  code: Attack['code'],
  base: Base,
  changes: (json: JsonObject) => Record<string, JsonValue | undefined>,
): Attack {
  const { json, artifact, bytes } = bases[base];
  return {
    id,
    name: `${name} (${base})`,
    code,
    twin: () => ({ bundle: bytes, artifact }),
    attack: () => ({ bundle: edit(json, changes(json)), artifact }),
  };
}

/** The same attack on every base. */
const everywhere = (
  id: string,
  name: string,
  code: Attack['code'],
  changes: (json: JsonObject) => Record<string, JsonValue | undefined>,
): Attack[] => (Object.keys(bases) as Base[]).map((base) => refuse(id, name, code, base, changes));

/** Replaces the whole entry by the entry of another signature. */
const foreignEntry = (base: Base): Attack => {
  const options: SignOptions = base.startsWith('v2') ? { logs: [stack.rekorV2] } : {};
  const kind = base === 'v1intoto' ? ({ entryKind: 'intoto' } as const) : {};
  const other = stack.sign({
    artifact: utf8('other'),
    ...(base.endsWith('dsse') || base === 'v1intoto' ? { statement: 'cosign' } : {}),
    ...options,
    ...kind,
  });
  return refuse('LOG-01', 'the valid entry of another artifact', 'WB-310', base, () => ({
    [entry]: at(other.json, entry),
  }));
};

/** The same artifact signed again with another key or the same: entry and bundle differ in one part only. */
function swapEntry(id: string, name: string, options: SignOptions, other: SignOptions): Attack {
  return {
    id,
    name,
    code: 'WB-310',
    twin: () => signed(options),
    attack: () => {
      const sample = stack.sign(options);
      const foreign = stack.sign(other);
      const bundle = edit(sample.json, { [entry]: at(foreign.json, entry) });
      return { bundle, artifact: sample.artifact };
    },
  };
}

const leafKey = generateKey('p256');
const certificate = stack.issue(leafKey, EPOCH);
const sameKey: SignOptions = { leafKey, certificate };

/** Signs the checkpoint of an entry anew. */
function recheck(
  base: Base,
  text: (size: number, root: Uint8Array) => string,
  log = base.startsWith('v2') ? stack.rekorV2 : stack.rekorV1,
): (json: JsonObject) => Record<string, JsonValue> {
  return (json) => {
    const size = Number(at(json, `${proof}.treeSize`));
    const root = Buffer.from(at(json, `${proof}.rootHash`) as string, 'base64');
    return { [checkpoint]: signNote(text(size, root), noteSigner(log.host, log.key)) };
  };
}

const strangeV1 = new VirtualLog({
  generation: 'v1',
  host: 'rekor.strange.example',
  key: generateKey('p256'),
  validFor: stack.validFor,
});
const strangeV2 = new VirtualLog({
  generation: 'v2',
  host: 'log.strange.example',
  key: generateKey('ed25519'),
  validFor: stack.validFor,
});
const note = (json: JsonObject): string => at(json, checkpoint) as string;

testAttacks([
  ...(Object.keys(bases) as Base[]).map(foreignEntry),
  swapEntry('LOG-02', 'an entry with another signature of the same key (v1)', sameKey, sameKey),
  swapEntry(
    'LOG-02',
    'an entry with another signature of the same key (v2)',
    { ...sameKey, logs: [stack.rekorV2] },
    { ...sameKey, logs: [stack.rekorV2] },
  ),
  swapEntry(
    'LOG-02',
    'an entry with another certificate',
    { leafKey },
    { leafKey, certificate: stack.issue(leafKey, EPOCH) },
  ),
  {
    id: 'LOG-02',
    name: 'an entry with the same signature under another certificate',
    code: 'WB-310',
    twin: () => signed(sameKey),
    attack: () => {
      const sample = stack.sign(sameKey);
      const pem = verifierPem({ certificate: stack.issue(leafKey, EPOCH), key: leafKey });
      const hash = { algorithm: 'sha256', value: sha256(sample.artifact) } as const;
      const body = hashedRekordV1Body({ hash, signature: sample.signature, verifier: pem });
      const logged = stack.rekorV1.append('hashedrekord', '0.0.1', body, EPOCH);
      return reassemble(sample, { entries: [logged] });
    },
  },
  swapEntry(
    'LOG-03',
    'a dsse entry of another signature over the same payload',
    { ...sameKey, statement: 'cosign' },
    { ...sameKey, statement: 'cosign' },
  ),
  swapEntry(
    'LOG-03',
    'an intoto entry of another signature over the same payload',
    { ...sameKey, statement: 'cosign', entryKind: 'intoto' },
    { ...sameKey, statement: 'cosign', entryKind: 'intoto' },
  ),
  ...everywhere('LOG-04', 'a proof for another index', 'WB-313', (json) => ({
    [`${proof}.logIndex`]: `${Number(at(json, `${proof}.logIndex`)) - 1}`,
  })),
  ...everywhere('LOG-04', 'a proof with one hash changed', 'WB-313', (json) => ({
    [`${proof}.hashes.0`]: flip(at(json, `${proof}.hashes.0`)),
  })),
  ...everywhere('LOG-04', 'a proof with a hash too many', 'WB-313', (json) => ({
    [`${proof}.hashes`]: [...(at(json, `${proof}.hashes`) as JsonValue[]), at(json, `${proof}.hashes.0`)],
  })),
  ...everywhere('LOG-04', 'a proof with a hash missing', 'WB-313', (json) => ({
    [`${proof}.hashes`]: (at(json, `${proof}.hashes`) as JsonValue[]).slice(1),
  })),
  ...everywhere('LOG-05', 'an index beyond the tree', 'WB-313', (json) => ({
    [`${proof}.logIndex`]: at(json, `${proof}.treeSize`),
  })),
  ...everywhere('LOG-06', 'a root that is not the checkpoint\u2019s', 'WB-314', (json) => ({
    [`${proof}.rootHash`]: flip(at(json, `${proof}.rootHash`)),
  })),
  ...everywhere('LOG-06', 'a size that is not the checkpoint\u2019s', 'WB-314', (json) => ({
    [`${proof}.treeSize`]: `${Number(at(json, `${proof}.treeSize`)) + 1}`,
  })),
  refuse(
    'LOG-07',
    'a checkpoint of another log, signed by that log',
    'WB-314',
    'v1',
    recheck('v1', (size, root) => formatCheckpoint(strangeV1.origin, size, root), strangeV1),
  ),
  refuse(
    'LOG-07',
    'a checkpoint of another log, signed by that log',
    'WB-314',
    'v2',
    recheck('v2', (size, root) => formatCheckpoint(strangeV2.origin, size, root), strangeV2),
  ),
  refuse(
    'LOG-07',
    'a checkpoint with another origin, signed by the right log',
    'WB-314',
    'v2',
    recheck('v2', (size, root) => formatCheckpoint('other.example', size, root)),
  ),
  refuse(
    'LOG-07',
    'a checkpoint of a v1 origin on a v2 entry',
    'WB-172',
    'v2',
    recheck('v2', (size, root) => formatCheckpoint(`${stack.rekorV2.host} - 1`, size, root)),
  ),
  refuse('LOG-08', 'a checkpoint under the known name by another key', 'WB-314', 'v2', (json) => ({
    [checkpoint]: signNote(
      `${note(json).split('\n\n')[0]}\n`,
      noteSigner(stack.rekorV2.host, generateKey('ed25519')),
    ),
  })),
  refuse(
    'LOG-08',
    'a garbage signature under the known name and key id beside the good one',
    'WB-314',
    'v2',
    (json) => {
      const good = note(json);
      const line = good.trimEnd().split('\n').at(-1) as string;
      const [dash, name, encoded] = line.split(' ') as [string, string, string];
      return { [checkpoint]: `${good}${dash} ${name} ${flip(encoded)}\n` };
    },
  ),
  refuse('LOG-09', 'a checkpoint with a witness but without the log', 'WB-314', 'v2', (json) => ({
    [checkpoint]: signNote(
      `${note(json).split('\n\n')[0]}\n`,
      noteSigner('witness.example', generateKey('ed25519')),
    ),
  })),
  ...['0007', '+7', '1e3', '18446744073709551616', '-1', '', ' 7'].map((size) =>
    refuse('LOG-11', `a checkpoint of size ${JSON.stringify(size)}`, 'WB-314', 'v2', (json) => {
      const lines = (note(json).split('\n\n')[0] as string).split('\n');
      const text = `${lines[0]}\n${size}\n${lines[2]}\n`;
      return { [checkpoint]: signNote(text, noteSigner(stack.rekorV2.host, stack.rekorV2.key)) };
    }),
  ),
  refuse('LOG-11', 'a checkpoint with a root of 31 bytes', 'WB-314', 'v2', (json) => {
    const lines = (note(json).split('\n\n')[0] as string).split('\n');
    const text = `${lines[0]}\n${lines[1]}\n${toBase64(new Uint8Array(31))}\n`;
    return { [checkpoint]: signNote(text, noteSigner(stack.rekorV2.host, stack.rekorV2.key)) };
  }),
  refuse('LOG-11', 'a checkpoint with carriage returns', 'WB-314', 'v2', (json) => ({
    [checkpoint]: note(json).replaceAll('\n', '\r\n'),
  })),
  refuse('LOG-11', 'a checkpoint without blank line', 'WB-314', 'v2', (json) => ({
    [checkpoint]: note(json).replace('\n\n', '\n'),
  })),
  refuse('LOG-11', 'an empty checkpoint', 'WB-161', 'v2', () => ({ [checkpoint]: '' })),
  refuse('LOG-13', 'a promise that does not verify', 'WB-312', 'v1', (json) => ({
    [`${entry}.inclusionPromise.signedEntryTimestamp`]: flip(
      at(json, `${entry}.inclusionPromise.signedEntryTimestamp`),
    ),
  })),
  refuse('LOG-13', 'another promised time', 'WB-312', 'v1', (json) => ({
    [`${entry}.integratedTime`]: `${Number(at(json, `${entry}.integratedTime`)) + 1}`,
  })),
  refuse('LOG-13', 'another promised index', 'WB-312', 'v1', (json) => ({
    [`${entry}.logIndex`]: `${Number(at(json, `${entry}.logIndex`)) + 1}`,
  })),
  refuse('LOG-13', 'a promise without proof in a bundle 0.3', 'WB-161', 'v1', () => ({ [proof]: undefined })),
  refuse('LOG-13', 'an entry with neither promise nor proof', 'WB-161', 'v1', () => ({
    [proof]: undefined,
    [`${entry}.inclusionPromise`]: undefined,
  })),
  refuse('LOG-19', 'an unknown kind', 'WB-172', 'v1', () => ({ [`${entry}.kindVersion.kind`]: 'cose' })),
  refuse('LOG-19', 'an unknown version', 'WB-172', 'v1', () => ({
    [`${entry}.kindVersion.version`]: '0.0.9',
  })),
  refuse('LOG-19', 'an unknown version', 'WB-172', 'v2', () => ({
    [`${entry}.kindVersion.version`]: '0.0.3',
  })),
  refuse('LOG-19', 'a kind that is not the body\u2019s', 'WB-173', 'v1dsse', () => ({
    [`${entry}.kindVersion`]: { kind: 'hashedrekord', version: '0.0.1' },
  })),
  refuse('LOG-12', 'no log entry', 'WB-317', 'v1', () => ({ 'verificationMaterial.tlogEntries': [] })),
  refuse('LOG-22', 'an entry of an unknown log', 'WB-320', 'v2', (json) => ({
    [`${entry}.logId.keyId`]: flip(at(json, `${entry}.logId.keyId`)),
    'verificationMaterial.timestampVerificationData.rfc3161Timestamps': [],
  })),
  refuse('LOG-22', 'an entry of an unknown log beside a timestamp', 'WB-317', 'v2', (json) => ({
    [`${entry}.logId.keyId`]: flip(at(json, `${entry}.logId.keyId`)),
  })),
  refuse('LOG-24', 'a body with spaces', 'WB-310', 'v2', (json) => {
    const body = Buffer.from(at(json, `${entry}.canonicalizedBody`) as string, 'base64').toString();
    return { [`${entry}.canonicalizedBody`]: toBase64(utf8(` ${body}`)) };
  }),
]);

/** A sample with other parts. */
function reassemble(
  sample: ReturnType<typeof stack.sign>,
  parts: { readonly entries: readonly TransparencyLogEntry[] },
): Setup {
  const again = stack.sign({ ...sameKey, replaceSignature: sample.signature, alter: () => parts });
  return { bundle: again.bytes, artifact: sample.artifact };
}

const anyone = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));
const keyless = (options: Partial<Parameters<typeof requireKeyless>[0]>): Requirements =>
  unwrap(requireKeyless({ identities: [anyone], ...options }));
const independent = new VirtualLog({
  generation: 'v1',
  host: 'rekor.other.example',
  key: generateKey('p256'),
  validFor: stack.validFor,
  operator: 'other.example',
});
const sister = new VirtualLog({
  generation: 'v1',
  host: 'rekor2.virtual.example',
  key: generateKey('p256'),
  validFor: stack.validFor,
  operator: 'virtual.example',
});
/** Logged twice, in logs of which the trusted root, as those of version 0.1, does not say who runs them. */
function nameless(...hosts: readonly [string, string]): Setup {
  const logs = hosts.map(
    (host) => new VirtualLog({ generation: 'v1', host, key: generateKey('p256'), validFor: stack.validFor }),
  );
  const trust = stack.trust({ ...stack.root, tlogs: logs.map(({ authority }) => authority) });
  return signed({ logs }, { trust, requirements: keyless({ tlog: 2 }) });
}
const threeLogs = (): TrustMaterial =>
  stack.trust({ ...stack.root, tlogs: [...stack.root.tlogs, independent.authority, sister.authority] });
const otherTsa = new VirtualTsa({ name: 'tsa2', validFor: stack.validFor, operator: 'other.example' });
const twoTsas = (): TrustMaterial =>
  stack.trust({ ...stack.root, timestampAuthorities: [stack.tsa.authority, otherTsa.authority] });
const trustTsa = (tsa: VirtualTsa): TrustMaterial =>
  stack.trust({ ...stack.root, timestampAuthorities: [tsa.authority] });
const v2Only: SignOptions = { logs: [stack.rekorV2] };
const logsEnding = (end: number): TrustMaterial =>
  stack.trust({
    ...stack.root,
    tlogs: stack.root.tlogs.map((log) => ({ ...log, validFor: { start: EPOCH - YEAR, end } })),
  });
const tsaEnding = (end: number): TrustMaterial =>
  stack.trust({
    ...stack.root,
    timestampAuthorities: [{ ...stack.tsa.authority, validFor: { start: EPOCH - YEAR, end } }],
  });
const stampPath = 'verificationMaterial.timestampVerificationData.rfc3161Timestamps';

/** A v2 bundle whose only timestamp is made by `stamp`. */
function stampedBy(stamp: (signature: Uint8Array) => Uint8Array, more: More = {}): Setup {
  return signed(
    {
      ...v2Only,
      alter: (parts) => ({
        timestamps: [stamp(parts.content.kind === 'message' ? parts.content.signature : new Uint8Array())],
      }),
    },
    more,
  );
}
const good = (): Setup => signed(v2Only);
const tsaCase = (
  id: string,
  name: string,
  code: Attack['code'],
  attack: () => Setup,
  twin: () => Setup = good,
): Attack => ({ id, name, code, twin, attack });
const withPurposes = (purposes: readonly string[], critical: boolean): VirtualTsa =>
  new VirtualTsa({
    name: 'odd',
    validFor: stack.validFor,
    alter: (template) => ({
      ...template,
      extensions: [
        ...template.extensions.filter(({ oid }) => oid !== '2.5.29.37'),
        ...(purposes.length > 0 ? [extensionOf.extKeyUsage(purposes, critical)] : []),
      ],
    }),
  });

testAttacks([
  {
    id: 'LOG-12',
    name: 'entries in two logs of one operator for a threshold of two',
    code: 'WB-317',
    twin: () =>
      signed(
        { logs: [stack.rekorV1, independent] },
        { trust: threeLogs(), requirements: keyless({ tlog: 2 }) },
      ),
    attack: () =>
      signed({ logs: [stack.rekorV1, sister] }, { trust: threeLogs(), requirements: keyless({ tlog: 2 }) }),
  },
  {
    id: 'LOG-12',
    name: 'entries under two keys of one host, for which the root names no operator, for a threshold of two',
    code: 'WB-317',
    twin: () => nameless('rekor.first.example', 'rekor.second.example'),
    attack: () => nameless('rekor.first.example', 'rekor.first.example'),
  },
  {
    id: 'LOG-12',
    name: 'two entries of one log for a threshold of two',
    code: 'WB-317',
    twin: () =>
      signed(
        { logs: [stack.rekorV1, independent] },
        { trust: threeLogs(), requirements: keyless({ tlog: 2 }) },
      ),
    attack: () =>
      signed(
        { logs: [stack.rekorV1, stack.rekorV1] },
        { trust: threeLogs(), requirements: keyless({ tlog: 2 }) },
      ),
  },
  {
    id: 'LOG-14',
    name: 'a promise one second after the log\u2019s interval',
    code: 'WB-316',
    twin: () => signed({}, { trust: logsEnding(EPOCH) }),
    attack: () => signed({}, { trust: logsEnding(EPOCH - SECOND) }),
  },
  {
    id: 'LOG-14',
    name: 'a v2 log retired before every trusted time',
    code: 'WB-316',
    twin: () => signed(v2Only, { trust: logsEnding(EPOCH + MINUTE) }),
    attack: () => signed(v2Only, { trust: logsEnding(EPOCH + MINUTE - 1) }),
  },
  tsaCase('TSP-01', 'a timestamp over another signature', 'WB-322', () =>
    stampedBy(() => stack.tsa.stamp(utf8('other'), EPOCH)),
  ),
  tsaCase('TSP-02', 'a timestamp of an unknown authority', 'WB-323', () =>
    stampedBy((bytes) => otherTsa.stamp(bytes, EPOCH)),
  ),
  tsaCase('TSP-02', 'a timestamp of an unknown authority with its certificates', 'WB-323', () =>
    stampedBy((bytes) =>
      otherTsa.stamp(bytes, EPOCH, [otherTsa.certificate, otherTsa.issuer.intermediate.certificate]),
    ),
  ),
  tsaCase('TSP-03', 'a timestamp by another key under the name of the authority', 'WB-324', () =>
    stampedBy((bytes) =>
      stack.tsa.stamp(bytes, EPOCH, [stack.tsa.certificate, otherTsa.certificate], otherTsa.key),
    ),
  ),
  ...(
    [
      ['without purpose', withPurposes([], false)],
      ['with an uncritical purpose', withPurposes([extKeyUsage.timeStamping], false)],
      ['with two purposes', withPurposes([extKeyUsage.timeStamping, extKeyUsage.codeSigning], true)],
      ['for signing code', withPurposes([extKeyUsage.codeSigning], true)],
    ] as const
  ).map(([name, tsa]) =>
    tsaCase('TSP-04', `an authority ${name}`, 'WB-323', () =>
      signed({ ...v2Only, tsas: [tsa] }, { trust: trustTsa(tsa) }),
    ),
  ),
  tsaCase('TSP-04', 'an authority under an intermediate without purpose', 'WB-323', () => {
    const tsa = new VirtualTsa({
      name: 'odd',
      validFor: stack.validFor,
      alterIntermediate: (template) => ({
        ...template,
        extensions: template.extensions.filter((extension) => extension.oid !== '2.5.29.37'),
      }),
    });
    return signed({ ...v2Only, tsas: [tsa] }, { trust: trustTsa(tsa) });
  }),
  tsaCase('TSP-04', 'an authority under an intermediate for signing code', 'WB-323', () => {
    const tsa = new VirtualTsa({
      name: 'odd',
      validFor: stack.validFor,
      alterIntermediate: (template) => ({
        ...template,
        extensions: template.extensions.map((extension) =>
          extension.oid === '2.5.29.37' ? extensionOf.extKeyUsage([extKeyUsage.codeSigning]) : extension,
        ),
      }),
    });
    return signed({ ...v2Only, tsas: [tsa] }, { trust: trustTsa(tsa) });
  }),
  tsaCase(
    'TSP-05',
    'a timestamp one second after the interval of its authority',
    'WB-325',
    () => signed(v2Only, { trust: tsaEnding(EPOCH + MINUTE - SECOND) }),
    () => signed(v2Only, { trust: tsaEnding(EPOCH + MINUTE) }),
  ),
  tsaCase(
    'TSP-05',
    'a timestamp after the certificate of its authority',
    'WB-325',
    () => {
      const tsa = new VirtualTsa({
        name: 'short',
        validFor: stack.validFor,
        alter: (template) => ({ ...template, notAfter: EPOCH + MINUTE - SECOND }),
      });
      return signed({ ...v2Only, tsas: [tsa] }, { trust: trustTsa(tsa) });
    },
    () => {
      const tsa = new VirtualTsa({
        name: 'short',
        validFor: stack.validFor,
        alter: (template) => ({ ...template, notAfter: EPOCH + MINUTE }),
      });
      return signed({ ...v2Only, tsas: [tsa] }, { trust: trustTsa(tsa) });
    },
  ),
  tsaCase('TSP-06', 'a timestamp with a changed signature', 'WB-324', () => {
    const sample = stack.sign(v2Only);
    return {
      bundle: edit(sample.json, {
        [`${stampPath}.0.signedTimestamp`]: flip(at(sample.json, `${stampPath}.0.signedTimestamp`)),
      }),
      artifact: sample.artifact,
    };
  }),
  tsaCase(
    'TSP-07',
    'an integrated time that no promise covers',
    'WB-320',
    () => {
      const sample = stack.sign({ tsas: [] });
      return {
        bundle: edit(sample.json, { [`${entry}.inclusionPromise`]: undefined }),
        artifact: sample.artifact,
      };
    },
    () => signed({ tsas: [] }),
  ),
  tsaCase('TSP-08', 'a v2 entry without timestamp', 'WB-320', () => signed({ ...v2Only, tsas: [] })),
  tsaCase(
    'TSP-09',
    'two timestamps of one authority for a threshold of two',
    'WB-320',
    () =>
      signed(
        { ...v2Only, tsas: [stack.tsa, stack.tsa] },
        { trust: twoTsas(), requirements: keyless({ time: { kind: 'signed', atLeast: 2 } }) },
      ),
    () =>
      signed(
        { ...v2Only, tsas: [stack.tsa, otherTsa] },
        { trust: twoTsas(), requirements: keyless({ time: { kind: 'signed', atLeast: 2 } }) },
      ),
  ),
  tsaCase(
    'TSP-08',
    'a log\u2019s time where a timestamp is required',
    'WB-320',
    () => signed({ tsas: [] }, { requirements: keyless({ time: { kind: 'signed', atLeast: 1 } }) }),
    () => signed({}, { requirements: keyless({ time: { kind: 'signed', atLeast: 1 } }) }),
  ),
  tsaCase(
    'TSP-08',
    'a timestamp where a log\u2019s time is required',
    'WB-320',
    () => signed(v2Only, { requirements: keyless({ time: { kind: 'integrated', atLeast: 1 } }) }),
    () => signed({}, { requirements: keyless({ time: { kind: 'integrated', atLeast: 1 } }) }),
  ),
  tsaCase('TSP-13', 'bytes that are no timestamp', 'WB-321', () => stampedBy(() => Uint8Array.of(0x30, 0))),
  tsaCase('TSP-13', 'a timestamp with bytes behind it', 'WB-321', () =>
    stampedBy((bytes) => concat(stack.tsa.stamp(bytes, EPOCH), Uint8Array.of(0))),
  ),
  tsaCase(
    'TSP-16',
    'a key that ended before the trusted time',
    'WB-355',
    () => keySigned({ start: 0, end: EPOCH - SECOND }),
    () => keySigned({ start: 0, end: EPOCH + MINUTE }),
  ),
  tsaCase(
    'TSP-16',
    'a key that has ended now, without any trusted time',
    'WB-355',
    () => keySigned({ start: 0, end: EPOCH }, { logs: [stack.rekorV2], tsas: [] }),
    () => keySigned({ start: 0, end: EPOCH + YEAR }, { logs: [stack.rekorV2], tsas: [] }),
  ),
]);

const managed = generateKey('p256');
function keySigned(validFor: { start: number; end: number }, options: SignOptions = {}): Setup {
  return signed(
    { key: managed, ...options },
    { requirements: unwrap(requireKey(managed.publicKey, { validFor })) },
  );
}

test('TSP-10: one good timestamp suffices beside a bad one, which is noted', () => {
  const verdict = outcomeOf(signed({ ...v2Only, tsas: [otherTsa, stack.tsa] }));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.deepEqual(
    verdict.notes.map((note) => note.code),
    ['WB-323'],
  );
});

test('TSP-15: a timestamp holds after its authority has expired', () => {
  const verdict = outcomeOf(signed(v2Only, { now: EPOCH + 40 * YEAR }));
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('TSP-18: the caller\u2019s clock changes no verdict that rests on trusted time', () => {
  for (const now of [0, EPOCH - 10 * YEAR, EPOCH + 10 * YEAR, Number.MAX_SAFE_INTEGER]) {
    for (const base of Object.values(bases)) {
      const verdict = outcomeOf({ bundle: base.bytes, artifact: base.artifact, now });
      assert.equal(verdict.outcome, 'accepted', shown(verdict));
    }
  }
});

test('with the current time as the only clock a certificate expires', () => {
  const requirements = keyless({ time: { kind: 'current' }, tlog: 'notRequiredUnsafe' });
  const sample = stack.sign({ logs: [], tsas: [] });
  const judge = (now: number) =>
    outcomeOf({ bundle: sample.bytes, artifact: sample.artifact, requirements, now });
  const fresh = judge(EPOCH);
  assert.ok(fresh.outcome === 'accepted', shown(fresh));
  assert.deepEqual(fresh.degraded, ['tlog', 'time']);
  assert.equal(codeOf(judge(EPOCH + YEAR)), 'WB-331');
});

test('LOG-10: order of signatures, witnesses and unknown lines do not matter', () => {
  const { json, artifact } = bases.v2;
  const [text, line] = note(json).split('\n\n') as [string, string];
  const witness = signNote(`${text}\n`, noteSigner('witness.example', generateKey('ed25519'))).split(
    '\n\n',
  )[1] as string;
  for (const signatures of [witness + line, line + witness, witness + line + witness]) {
    const verdict = outcomeOf({ bundle: edit(json, { [checkpoint]: `${text}\n\n${signatures}` }), artifact });
    assert.equal(verdict.outcome, 'accepted', shown(verdict));
  }
});

test('an invalid entry is only noted when logs were given up', () => {
  const { json, artifact } = bases.v1;
  const bundle = edit(json, { [`${entry}.inclusionPromise.signedEntryTimestamp`]: 'AAAA' });
  const verdict = outcomeOf({ bundle, artifact, requirements: keyless({ tlog: 'notRequiredUnsafe' }) });
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.deepEqual(
    verdict.notes.map((note) => note.code),
    ['WB-312'],
  );
  assert.deepEqual(verdict.degraded, ['tlog']);
});

test('a bundle 0.1 rests on its promise and may lack the checkpoint', () => {
  const { json, artifact } = bases.v1;
  const chain = { certificates: [at(json, 'verificationMaterial.certificate')] };
  const old = edit(json, {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    'verificationMaterial.certificate': undefined,
    'verificationMaterial.x509CertificateChain': chain,
    [`${proof}.checkpoint`]: undefined,
  });
  assert.equal(outcomeOf({ bundle: old, artifact }).outcome, 'accepted');
  const unpromised = edit(old, { [`${entry}.inclusionPromise`]: undefined });
  assert.equal(codeOf(outcomeOf({ bundle: unpromised, artifact })), 'WB-161');
});

test('the index in the evidence is the proven one, whatever a v2 entry calls itself', () => {
  const { json, artifact } = bases.v2;
  const verdict = outcomeOf({ bundle: edit(json, { [`${entry}.logIndex`]: '4711' }), artifact });
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  const told = verdict.evidence.find(({ requirement }) => requirement === 'tlog');
  assert.equal(`${told?.details['logIndex']}`, at(json, `${proof}.logIndex`));
});
