/** Files, their signed documents and the two verbs that judge them; nothing here has a network. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { toBase64, toHex, utf8 } from '#base/bytes';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { digestOf } from '#base/digest';
import { artifactFrom } from '#flows/blob-artifact';
import { statementBytes } from '#formats/intoto';
import { run } from '#platform/process';
import { certificatePemOf, rekorBundleOf } from '../double/legacy-parts.ts';
import { ISSUER, type Sample, type SignOptions, SUBJECT, VirtualStack } from '../double/virtual-stack.ts';
import { once } from '../oci/helpers.ts';
import { assertRefused, folder, plainEnv, shell, waybill } from './child.ts';
import { tellIn } from './in-process.ts';

const stack = new VirtualStack();
stack.dump(folder);
const text = utf8('a release archive');
const digest = digestOf(text);
const statement = statementBytes({
  subject: [{ name: 'release', digest: { sha256: toHex(sha256(text)) } }],
  predicateType: 'https://example.com/review/v1',
  predicate: { passed: true, score: 7, by: { team: 'sec' } },
});
const file = (name: string, content: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const artifact = file('release.tar', text);
const key = generateKey('p256');
const keyFile = file('key.pub', publicKeyPem(key.publicKey));
const signed = (options: SignOptions = {}): Sample => stack.sign({ artifact: text, ...options });
const keyless = file('keyless.json', signed().bytes);
const keyed = file('keyed.json', signed({ key }).bytes);
const attested = file('attested.json', signed({ statement }).bytes);
const trust = ['--trusted-root', join(folder, 'trusted_root.json')];
const who = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];
const review = ['--type', 'https://example.com/review/v1'];

/** cosign's local bundle of the time before version 3. */
function localBundle(sample: Sample): string {
  const pem = certificatePemOf(sample);
  return JSON.stringify({
    base64Signature: toBase64(sample.signature),
    ...(pem === undefined ? {} : { cert: toBase64(utf8(pem)) }),
    rekorBundle: rekorBundleOf(sample),
  });
}

interface Case {
  readonly name: string;
  readonly words: readonly string[];
  /** Absent: verified. */
  readonly code?: string;
  readonly exit?: number;
}

const local = file('local.json', localBundle(signed()));
const localKeyed = file('local-keyed.json', localBundle(signed({ key })));
const bare = file('bare.sig', toBase64(key.sign(text)));
const raw = file('raw.sig', key.sign(text));
const other = file('other', 'another archive');
const blob = (...words: string[]): readonly string[] => ['verify-blob', ...trust, ...words];
const attestation = (...words: string[]): readonly string[] => [
  'verify-blob-attestation',
  ...trust,
  ...words,
];
const expect = (condition: string): readonly string[] =>
  attestation(artifact, '--bundle', attested, ...who, ...review, '--condition', condition);

const cases: readonly Case[] = [
  { name: 'a keyless bundle', words: blob(artifact, '--bundle', keyless, ...who) },
  { name: 'a bundle by a key', words: blob(artifact, '--bundle', keyed, '--key', keyFile) },
  { name: 'a file by its digest', words: blob(digest, '--bundle', keyless, ...who) },
  { name: 'a local bundle of cosign 2', words: blob(artifact, '--bundle', local, ...who) },
  { name: 'a local bundle by a key', words: blob(artifact, '--bundle', localKeyed, '--key', keyFile) },
  {
    name: 'a bare signature by a key, without any trusted root',
    words: ['verify-blob', artifact, '--signature', bare, '--key', keyFile, '--insecure-ignore-tlog'],
  },
  {
    name: 'the bytes of a signature by a key',
    words: ['verify-blob', artifact, '--signature', raw, '--key', keyFile, '--insecure-ignore-tlog'],
  },
  { name: 'another file', words: blob(other, '--bundle', keyless, ...who), code: 'WB-303', exit: 12 },
  { name: 'another digest', words: blob(digestOf(utf8('x')), '--bundle', keyless, ...who), code: 'WB-303' },
  {
    name: 'another file against a bare signature',
    words: ['verify-blob', other, '--signature', bare, '--key', keyFile, '--insecure-ignore-tlog'],
    code: 'WB-340',
  },
  {
    name: 'a misspelt identity',
    words: blob(artifact, '--bundle', keyless, ...who.with(1, 'dve@acme.example')),
    code: 'WB-351',
    exit: 14,
  },
  {
    name: 'a certificate where a key is asked for',
    words: blob(artifact, '--bundle', keyless, '--key', keyFile),
    code: 'WB-302',
  },
  {
    name: 'a key where a certificate is asked for',
    words: blob(artifact, '--bundle', keyed, ...who),
    code: 'WB-301',
  },
  {
    name: 'a statement as a signature',
    words: blob(artifact, '--bundle', attested, ...who),
    code: 'WB-911',
    exit: 12,
  },
  {
    name: 'a statement as a signature where any will do',
    words: blob(artifact, '--bundle', attested, ...who, '--accept-any-predicate'),
  },
  {
    name: 'a signature as a statement',
    words: attestation(artifact, '--bundle', keyless, ...who, ...review),
    code: 'WB-912',
    exit: 12,
  },
  { name: 'a statement of the type', words: attestation(artifact, '--bundle', attested, ...who, ...review) },
  {
    name: 'a statement of another type',
    words: attestation(artifact, '--bundle', attested, ...who),
    code: 'WB-344',
  },
  {
    name: 'a statement about another file',
    words: attestation(other, '--bundle', attested, ...who, ...review),
    code: 'WB-342',
  },
  {
    name: 'conditions that hold',
    words: [
      ...expect('predicate.score >= 7'),
      '--condition',
      'predicate.by.team == "sec" && subject[0].name == "release"',
    ],
  },
  { name: 'a condition that is false', words: expect('predicate.score > 7'), code: 'WB-908', exit: 12 },
  {
    name: 'the second of two conditions',
    words: [...expect('predicate.passed'), '--condition', '!predicate.passed'],
    code: 'WB-908',
  },
  {
    name: 'a condition on a field that is absent',
    words: expect('predicate.reviewer == "x"'),
    code: 'WB-914',
    exit: 12,
  },
  { name: 'a condition that is no truth value', words: expect('predicate.score'), code: 'WB-914' },
  { name: 'a condition that is not CEL', words: expect('predicate.score >'), code: 'WB-915', exit: 3 },
  { name: 'a condition on an unknown variable', words: expect('predicat.passed'), code: 'WB-915' },
  { name: 'no signed document', words: blob(artifact, ...who), code: 'WB-1305', exit: 3 },
  {
    name: 'two signed documents',
    words: blob(artifact, ...who, '--bundle', keyless, '--signature', bare),
    code: 'WB-1305',
  },
  { name: 'no identity', words: blob(artifact, '--bundle', keyless), code: 'WB-1303', exit: 3 },
  {
    name: 'a file that is not there',
    words: blob(`${artifact}x`, '--bundle', keyless, ...who),
    code: 'WB-209',
  },
  { name: 'a bundle that is not there', words: blob(artifact, '--bundle', 'none', ...who), code: 'WB-209' },
  { name: 'a bundle that is no JSON', words: blob(artifact, '--bundle', artifact, ...who), code: 'WB-150' },
  {
    name: 'a local bundle without a signature',
    words: blob(artifact, '--bundle', file('broken.json', '{"base64Signature":7}'), ...who),
    code: 'WB-913',
  },
  {
    name: 'no trusted root',
    words: ['verify-blob', artifact, '--bundle', keyless, ...who],
    code: 'WB-607',
    exit: 3,
  },
  {
    name: 'a key whose signature needs the log, without a trusted root',
    words: ['verify-blob', artifact, '--bundle', keyed, '--key', keyFile],
    code: 'WB-607',
  },
];

describe('verify-blob and verify-blob-attestation open no connection and judge', {
  concurrency: true,
}, () => {
  for (const { name, words, code, exit } of cases) {
    test(name, async () => {
      const told = await tellIn({ json: true, clock: stack.clock }, words);
      assert.equal(told.reason?.code, code, JSON.stringify(told.reason));
      if (exit !== undefined) assert.equal(told.exit, exit);
      assert.equal((told.value as { ok?: boolean } | undefined)?.ok, code === undefined ? true : undefined);
    });
  }
});

test('an error of a condition names the expression', async () => {
  const told = await tellIn({ clock: stack.clock }, expect('predicate.reviewer == "x"'));
  assert.match(`${told.reason?.expected} ${told.reason?.actual}`, /predicate\.reviewer == "x" .*No such key/);
});

test('the result names the file, its digest, the signer and the trusted root', async () => {
  const { value } = await tellIn(
    { json: true, clock: stack.clock },
    blob(artifact, '--bundle', keyless, ...who),
  );
  const {
    blob: judged,
    accepted,
    trustedRoot,
  } = value as {
    blob: object;
    accepted: { signer: { identity: string } }[];
    trustedRoot: { origin: string };
  };
  assert.deepEqual(judged, { given: artifact, digest });
  assert.deepEqual([accepted[0]?.signer.identity, trustedRoot.origin], [SUBJECT, trust[1]]);
});

for (const kind of ['p384', 'ed25519'] as const) {
  test(`a ${kind} key verifies over the file and over the digest it signs`, async () => {
    const pair = generateKey(kind);
    const sample = stack.sign({ artifact: text, key: pair, logs: [], tsas: [] });
    const words = [
      '--bundle',
      file(`${kind}.json`, sample.bytes),
      '--key',
      file(`${kind}.pub`, publicKeyPem(pair.publicKey)),
      '--insecure-ignore-tlog',
    ];
    assert.equal((await tellIn({}, ['verify-blob', artifact, ...words])).reason, undefined);
    const known = digestOf(text, kind === 'p384' ? 'sha384' : 'sha512');
    // Pure Ed25519 is over the bytes: no digest can stand for them.
    const why = (await tellIn({}, ['verify-blob', known, ...words])).reason?.code;
    assert.equal(why, kind === 'p384' ? undefined : 'WB-340');
    assert.equal((await tellIn({}, ['verify-blob', digest, ...words])).reason?.code, 'WB-304');
  });
}

test('a file too large to keep is judged by its digest, one that fits by its bytes', async () => {
  const chunks = (): AsyncIterable<Uint8Array> => once(utf8('a release'), utf8(' archive'));
  const fits = await artifactFrom(chunks(), 'sha256', text.length);
  assert.deepEqual(
    [Buffer.from(fits.artifact as Uint8Array).toString(), fits.digest],
    ['a release archive', digest],
  );
  assert.deepEqual(await artifactFrom(chunks(), 'sha256', text.length - 1), { artifact: digest, digest });
});

test('standard input is judged like a file', async () => {
  const words = ['verify-blob', ...trust, '-', '--bundle', keyless, ...who];
  const good = await waybill(words, { input: text });
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /^verified - \(sha256:/);
  assertRefused(await waybill(words, { input: 'else' }), { exit: 12, code: 'WB-303' });
});

test('it verifies where there is no network at all', async (t) => {
  const probe = await run('unshare', ['-rn', 'true'], {});
  if (probe.code !== 0) return t.diagnostic('not run: this machine gives no network namespace');
  const words = [
    '-rn',
    resolve('bin/waybill'),
    'verify-blob',
    ...trust,
    artifact,
    '--bundle',
    keyless,
    ...who,
  ];
  const told = await run('unshare', words, { env: plainEnv });
  assert.equal(told.code, 0, told.stderr);
});

test('a folder as standard input is no empty file, even where the empty file is signed', async () => {
  const nothing = file('nothing.json', stack.sign({ artifact: new Uint8Array() }).bytes);
  const words = ['verify-blob', ...trust, '-', '--bundle', nothing, ...who];
  const result = await shell(`waybill ${words.map((word) => `'${word}'`).join(' ')} < '${folder}'`);
  assertRefused(result, { exit: 3, code: 'WB-209', says: /standard input\n.*a folder/ });
});

test('a newline in the name of a file begins no line of the result', async () => {
  const forged = file('a\nverified b (sha256:00)\n  signed by nobody', text);
  const world = { json: false, clock: stack.clock };
  const told = await tellIn(world, ['verify-blob', ...trust, forged, '--bundle', keyless, ...who]);
  assert.equal(told.exit, 0, told.stderr);
  const [first, second] = told.stdout.split('\n');
  assert.equal(first, `verified ${forged.replaceAll('\n', '\\n')} (${digest})`);
  assert.equal(second, `  signed by ${SUBJECT}`);
  assert.equal(told.stdout.match(/^verified /gm)?.length, 1);
});

test('a private key, a variable, half a digest and a bundle that is none are named for what they are', async () => {
  const privateKey = file('own.key', key.exportPem('secret'));
  const by = ['--bundle', keyed];
  const said: readonly (readonly [words: readonly string[], code: string, actual: RegExp])[] = [
    [[artifact, ...by, '--key', privateKey], 'WB-105', /own\.key: a private key$/],
    [[artifact, ...by, '--key', 'env://NOSUCH'], 'WB-1305', /^env:\/\/NOSUCH$/],
    [[`sha256:${'a'.repeat(63)}`, ...by, '--key', keyFile], 'WB-1305', /63 characters\), and no such file$/],
    [[digest.toUpperCase().replace('SHA', 'sha'), ...by, '--key', keyFile], 'WB-1305', /not all of them/],
    [[artifact, '--bundle', artifact, '--key', keyFile], 'WB-150', /^\S+release\.tar: /],
    [[artifact, ...by, '--key', artifact], 'WB-105', /^\S+release\.tar: /],
  ];
  for (const [words, code, actual] of said) {
    const { reason, exit } = await tellIn({ clock: stack.clock }, ['verify-blob', ...trust, ...words]);
    assert.deepEqual([reason?.code, exit], [code, 3], JSON.stringify(reason));
    assert.match(reason?.actual ?? '', actual);
  }
  const cosign = ['cosign', 'verify-blob', ...trust, artifact, ...by, '--key'];
  const missing = await tellIn({ clock: stack.clock }, [...cosign, 'env://NOSUCH']);
  assert.match(missing.stderr, /env:\/\/NOSUCH: no such variable/);
  const found = await tellIn({ clock: stack.clock, env: { KEY: publicKeyPem(key.publicKey) } }, [
    ...cosign,
    'env://KEY',
  ]);
  assert.equal(found.exit, 0, found.stderr);
});
