/** Exceptions from their making to the log, on a real stack, a real registry and a webhook over HTTPS. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { rfc3339 } from '#base/clock';
import { generateKey } from '#base/crypto';
import { digest as digestOfText } from '#base/digest';
import { limits } from '#base/limits';
import { type NonEmpty, unwrap } from '#base/result';
import { drainOutbox } from '#flows/exception-drain';
import { exceptionFileText, parseExceptionFile } from '#flows/exception-file';
import { loadApprovers, loadExceptions } from '#flows/exception-folder';
import { openOutbox } from '#flows/exception-outbox';
import { approveFile, createException, revokeFile } from '#flows/exception-sign';
import { signStatement } from '#flows/sign-image';
import { parseBundle } from '#formats/bundle';
import { statementBytes } from '#formats/intoto';
import { systemClock, systemRandom } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import {
  EXCEPTION_USE_V1,
  type Exception,
  exceptionStatement,
  isCurrent,
  type LoadedException,
} from '#policy';
import { type Admission, createAdmission } from '#services/admission';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';
import { putImage, quickRegistry, reasonOf } from '../oci/helpers.ts';
import { personSigner, signerOf, startStack, trustedRootOf } from '../stack/helper.ts';
import { type Answer, podReview, Webhook } from './admission-fixture.ts';

const stack = await startStack();
const base = await mkdtemp(join(tmpdir(), 'waybill-exception-'));
const running: Admission[] = [];
after(async () => {
  for (const admission of running) await admission.close();
  await rm(base, { recursive: true, force: true });
});

const issuer = stack.origins.oidc;
const [ada, bob, eve] = ['ada@example.com', 'bob@example.com', 'eve@example.com'];
const trustedRoot = trustMaterial(trustedRootOf(stack));
const depsOf = async (email: string) => ({
  signer: await personSigner(stack, 1, email),
  trustedRoot,
  clock: systemClock,
});
const [byAda, byBob, byEve] = [await depsOf(ada), await depsOf(bob), await depsOf(eve)];

const approversText = `apiVersion: waybill.dev/v1
kind: ExceptionApprovers
maxHours: 4
approvers:
  - {identity: ${ada}, issuer: "${issuer}"}
  - {identity: ada@home.example, issuer: "${issuer}", person: ${ada}}
  - {identity: ${bob}, issuer: "${issuer}"}
`;
const policyText = `apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  rules:
    - name: by-release
      match: {any: [{resources: {kinds: [Pod]}}]}
      verifyImages:
        - imageReferences: ["${stack.registryHost}/*"]
          type: SigstoreBundle
          failureAction: Enforce
          attestors: [{entries: [{keyless: {subject: "release@example.com", issuer: "${issuer}", rekor: {url: "${stack.origins.log}"}}}]}]
`;

let images = 0;
/** An unsigned image, named as a Pod would. */
async function image(): Promise<{ name: string; tagged: string; repository: string; digest: Digest }> {
  const repository = `shop/app${++images}`;
  const place = quickRegistry().repository({ registry: stack.registryHost, repository });
  const { digest } = await putImage(place, repository, { tag: 'v1' });
  const whole = `${stack.registryHost}/${repository}`;
  return { name: `${whole}:v1@${digest}`, tagged: `${whole}:v1`, repository: whole, digest };
}

const HOUR = 3_600_000;
function terms(digest: Digest, more: Partial<Exception> = {}): Exception {
  const createdAt = Math.floor(Date.now() / 1000) * 1000;
  return {
    name: 'checkout-hotfix',
    digest,
    namespace: 'shop',
    reason: 'payments are down',
    ticket: 'INC-7',
    createdAt,
    notAfter: createdAt + HOUR,
    ...more,
  };
}

/** Created by ada, approved by bob. */
async function approved(exception: Exception): Promise<string> {
  const created = await createException(exception, undefined, byAda);
  return (await approveFile(utf8(created.text), undefined, byBob)).text;
}

interface World {
  readonly webhook: Webhook;
  readonly dir: string;
  readonly outbox: string;
  readonly approvers: string;
  /** Milliseconds the webhook's clock is ahead. */
  readonly clock: { ahead: number };
  put(name: string, text: string): Promise<void>;
}

let worlds = 0;
async function world(files: Readonly<Record<string, string>> = {}): Promise<World> {
  const home = join(base, `world-${++worlds}`);
  const dir = join(home, 'exceptions');
  await mkdir(dir, { recursive: true });
  const [policy, approvers, outbox] = ['policy.yaml', 'approvers.yaml', 'outbox.db'].map((f) =>
    join(home, f),
  ) as [string, string, string];
  await writeFile(policy, policyText);
  await writeFile(approvers, approversText);
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
  const clock = { ahead: 0 };
  const admission = await createAdmission(
    {
      host: '127.0.0.1',
      port: 0,
      tls: { kind: 'selfMade', hosts: ['127.0.0.1'] },
      policyFiles: [policy],
      trustedRootFile: join(stack.dataDir, 'public', 'trusted_root.json'),
      exceptions: { dir, approversFile: approvers, outboxFile: outbox },
    },
    {
      clock: { now: () => Date.now() + clock.ahead },
      random: systemRandom,
      log: createLogger('admission', 'silent'),
      evidence: quickRegistry(),
    },
  );
  running.push(admission);
  return {
    webhook: new Webhook(admission, [policy]),
    dir,
    outbox,
    approvers,
    clock,
    put: async (name, text) => {
      await writeFile(join(dir, name), text);
      await admission.reload();
    },
  };
}

const warnings = (answer: Answer): string => (answer.response.warnings ?? []).join('\n');

/** Refused as without any exception, and the warning says by its code why none applied. */
function refused(answer: Answer, code: string): void {
  assert.equal(answer.response.allowed, false);
  assert.equal(answer.response.status?.code, 403);
  assert.match(answer.response.status?.message ?? '', /WB-740/);
  assert.match(warnings(answer), new RegExp(`^exception checkout-hotfix does not apply: ${code} `, 'm'));
}

const pendingOf = (path: string): number => {
  const outbox = openOutbox(path);
  try {
    return outbox.counts().pending;
  } finally {
    outbox.close();
  }
};

async function listed(where: World): Promise<LoadedException[]> {
  const approvers = await loadApprovers(where.approvers);
  return loadExceptions(where.dir, { trustedRoot, approvers, nowMs: Date.now() + where.clock.ahead });
}

async function reasonIn(where: World): Promise<string> {
  const [only] = await listed(where);
  return only?.state === 'refused' ? only.reason.code : (only?.state ?? 'nothing');
}

test('an exception by two people admits with a warning, is counted, recorded, and drained to the log with proof', async () => {
  const { name, digest } = await image();
  const exception = terms(digest);
  const where = await world();
  refusedPlainly(await where.webhook.validate(podReview({ image: name })));
  // No restart: the folder is looked at again.
  await where.put('hotfix.json', await approved(exception));
  const review = podReview({ image: name });
  const answer = await where.webhook.validate(review);
  assert.deepEqual([answer.response.allowed, answer.response.status], [true, undefined]);
  const until = rfc3339(exception.notAfter);
  assert.ok(
    warnings(answer).startsWith(
      `admitted by exception checkout-hotfix until ${until}, reason payments are down (INC-7): signed/by-release refused`,
    ),
    warnings(answer),
  );
  assert.match(
    answer.response.auditAnnotations?.['decision'] ?? '',
    /"exception":\{"name":"checkout-hotfix"/,
  );
  // The API server may ask twice about one object: that is one use.
  await where.webhook.validate(review);
  const metrics = (await where.webhook.ask('/metrics')).body;
  assert.match(metrics, /^waybill_admission_exception_uses_total\{exception="checkout-hotfix"\} 2$/m);
  assert.match(metrics, /^waybill_admission_exceptions\{state="active"\} 1$/m);
  assert.match(metrics, /^waybill_admission_exception_uses_pending 1$/m);

  const outbox = openOutbox(where.outbox);
  const [pending] = outbox.pending(10);
  assert.deepEqual(
    [
      pending?.record.exception,
      pending?.record.namespace,
      pending?.record.object,
      pending?.record.digest,
      pending?.record.excused,
    ],
    ['checkout-hotfix', 'shop', 'Pod/api', digest, ['signed/by-release']],
  );
  const drained = await drainOutbox(outbox, {
    ...byEve,
    signer: await personSigner(stack, 1, 'drain@example.com'),
  });
  assert.deepEqual(
    drained.map(({ uses }) => uses),
    [1],
  );
  assert.deepEqual(outbox.counts(), { pending: 0, logged: 1 });
  assert.deepEqual(await drainOutbox(outbox, byEve), []);
  const [batch] = outbox.batches();
  outbox.close();
  const bundle = unwrap(parseBundle(batch?.bundle as Uint8Array));
  assert.ok((bundle.tlogEntries[0]?.inclusionProof?.treeSize ?? 0) > 0);
  const who = unwrap(identity({ issuer, san: 'drain@example.com' }));
  const requirements = unwrap(requireKeyless({ identities: [who], predicateTypes: [EXCEPTION_USE_V1] }));
  const verdict = verifyBundle({ artifact: digest, bundle, trustedRoot, requirements, now: Date.now() });
  assert.ok(verdict.outcome === 'accepted');
  assert.ok(verdict.evidence.some(({ requirement }) => requirement === 'tlog'));
  assert.match(JSON.stringify(verdict.statement?.predicate), new RegExp(pending?.record.exceptionId ?? '-'));
  assert.match((await where.webhook.ask('/metrics')).body, /exception_uses_pending 0$/m);
});

function refusedPlainly(answer: Answer): void {
  assert.equal(answer.response.allowed, false);
  assert.equal(warnings(answer), '');
}

test('it ends at its end time, to the millisecond, without anybody doing anything: WB-755', async () => {
  const { name, digest } = await image();
  const exception = terms(digest);
  const where = await world({ 'hotfix.json': await approved(exception) });
  const review = () => where.webhook.validate(podReview({ image: name }));
  where.clock.ahead = exception.notAfter - Date.now() - 60_000;
  assert.equal((await review()).response.allowed, true);
  where.clock.ahead = exception.notAfter - Date.now();
  refused(await review(), 'WB-755');
  assert.match(
    (await where.webhook.ask('/metrics')).body,
    /^waybill_admission_exceptions\{state="inactive"\} 1$/m,
  );
  assert.equal(isCurrent(exception, exception.notAfter - 1).ok, true);
  assert.equal(isCurrent(exception, exception.notAfter).ok, false);
  where.clock.ahead = exception.createdAt - Date.now() - 120_000;
  refused(await review(), 'WB-755');
});

test('another digest, another namespace, a tag, another policy or rule: WB-756', async () => {
  const [one, other] = [await image(), await image()];
  const where = await world({ 'hotfix.json': await approved(terms(one.digest)) });
  refused(await where.webhook.validate(podReview({ image: other.name })), 'WB-756');
  refused(await where.webhook.validate(podReview({ image: one.name, namespace: 'prod' })), 'WB-756');
  refused(await where.webhook.validate(podReview({ image: one.tagged })), 'WB-756');
  const both = {
    containers: [
      { name: 'a', image: one.name },
      { name: 'b', image: other.name },
    ],
  };
  const half = await where.webhook.validate(podReview({ spec: both }));
  assert.equal(half.response.allowed, false, 'every image has to pass');
  assert.equal(pendingOf(where.outbox), 0, 'what did not let anything in was not used');
  for (const scope of [{ policy: 'other' }, { policy: 'signed', rule: 'other' }]) {
    await where.put('hotfix.json', await approved(terms(one.digest, scope)));
    refused(await where.webhook.validate(podReview({ image: one.name })), 'WB-756');
  }
  await where.put('hotfix.json', await approved(terms(one.digest, { policy: 'signed', rule: 'by-release' })));
  assert.equal((await where.webhook.validate(podReview({ image: one.name }))).response.allowed, true);
});

test('signed twice by one person is refused, also under two addresses: WB-967, WB-753', async () => {
  const { name, digest } = await image();
  const created = await createException(terms(digest), undefined, byAda);
  const again = await reasonOf(approveFile(utf8(created.text), undefined, byAda));
  assert.deepEqual([again.code, again.exit], ['WB-967', 2]);
  const where = await world();
  const approvers = await loadApprovers(where.approvers);
  const home = await depsOf('ada@home.example');
  assert.equal((await reasonOf(approveFile(utf8(created.text), approvers, home))).code, 'WB-753');
  // Put together by hand, past the checks of the command.
  const bundles = await Promise.all(
    [byAda, byAda, home].map(async (deps) => {
      const statement = statementBytes(exceptionStatement(terms(digest)));
      return (await signStatement(statement, { digest }, deps)).bundle;
    }),
  );
  const [first, second, third] = bundles as [Uint8Array, Uint8Array, Uint8Array];
  for (const forged of [[first], [first, second], [first, third]]) {
    await where.put('hotfix.json', exceptionFileText('exception', forged as unknown as NonEmpty<Uint8Array>));
    refused(await where.webhook.validate(podReview({ image: name })), 'WB-753');
  }
});

test('somebody who may not approve is refused by the verifier, as first or as second: WB-351', async () => {
  const { name, digest } = await image();
  const byBoth = async (first: typeof byAda, second: typeof byAda): Promise<string> => {
    const created = await createException(terms(digest), undefined, first);
    return (await approveFile(utf8(created.text), undefined, second)).text;
  };
  const where = await world();
  for (const text of [await byBoth(byAda, byEve), await byBoth(byEve, byBob)]) {
    await where.put('hotfix.json', text);
    refused(await where.webhook.validate(podReview({ image: name })), 'WB-351');
  }
  // A third signature that does not hold spoils the other two: nobody signs for nothing.
  const three = await approveFile(utf8(await approved(terms(digest))), undefined, byEve);
  await where.put('hotfix.json', three.text);
  refused(await where.webhook.validate(podReview({ image: name })), 'WB-351');
});

test('a key is nobody: WB-967', async () => {
  const { digest } = await image();
  const signer = signerOf(stack, { kind: 'key', key: generateKey('p256') });
  const why = await reasonOf(createException(terms(digest), undefined, { ...byAda, signer }));
  assert.equal(why.code, 'WB-967');
});

test('a changed statement, and signatures over two statements, are refused: WB-3xx, WB-752', async () => {
  const { name, digest } = await image();
  const text = await approved(terms(digest));
  const where = await world();
  const file = JSON.parse(text) as { schema: string; bundles: { dsseEnvelope: { payload: string } }[] };
  for (const bundle of file.bundles) {
    const payload = Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString();
    const later = payload.replace(/"notAfter":"\d{4}/, '"notAfter":"2099');
    bundle.dsseEnvelope.payload = Buffer.from(later).toString('base64');
  }
  await where.put('hotfix.json', JSON.stringify(file));
  refused(await where.webhook.validate(podReview({ image: name })), 'WB-3\\d\\d');
  const longer = terms(digest, { notAfter: terms(digest).createdAt + 2 * HOUR });
  const other = JSON.parse((await createException(longer, undefined, byBob)).text) as typeof file;
  const mixed = { ...(JSON.parse(text) as typeof file), bundles: [] as unknown[] };
  mixed.bundles = [(JSON.parse(text) as typeof file).bundles[0], other.bundles[0]];
  await where.put('hotfix.json', JSON.stringify(mixed));
  refused(await where.webhook.validate(podReview({ image: name })), 'WB-752');
  assert.equal((await reasonOf(approveFile(utf8(JSON.stringify(mixed)), undefined, byEve))).code, 'WB-752');
});

test('an attestation about the image is no exception: WB-344, WB-750', async () => {
  const { name, digest } = await image();
  const sha256 = digest.slice(7);
  const statement = statementBytes({
    subject: [{ digest: { sha256 } }],
    predicateType: 'https://x.example/y',
    predicate: {},
  });
  const made = await Promise.all([byAda, byBob].map((deps) => signStatement(statement, { digest }, deps)));
  const [a, b] = made.map(({ bundle }) => bundle) as [Uint8Array, Uint8Array];
  const where = await world({ 'hotfix.json': exceptionFileText('exception', [a, b]) });
  refusedPlainly(await where.webhook.validate(podReview({ image: name })));
  assert.equal(await reasonIn(where), 'WB-344');
});

test('longer than the approvers allow: WB-754', async () => {
  const { name, digest } = await image();
  const { createdAt } = terms(digest);
  const atMost = await approved(terms(digest, { createdAt, notAfter: createdAt + 4 * HOUR }));
  const where = await world({ 'hotfix.json': atMost });
  assert.equal((await where.webhook.validate(podReview({ image: name }))).response.allowed, true);
  await where.put(
    'hotfix.json',
    await approved(terms(digest, { createdAt, notAfter: createdAt + 4 * HOUR + 1000 })),
  );
  refused(await where.webhook.validate(podReview({ image: name })), 'WB-754');
});

test('a revocation ends it at the next look, also one that does not verify: WB-757', async () => {
  const { name, digest } = await image();
  const text = await approved(terms(digest));
  const where = await world({ 'hotfix.json': text });
  assert.equal((await where.webhook.validate(podReview({ image: name }))).response.allowed, true);
  const revoked = await revokeFile(utf8(text), 'fixed', byBob);
  await where.put('hotfix.revocation.json', revoked.text);
  const answer = await where.webhook.validate(podReview({ image: name }));
  refused(answer, 'WB-757');
  assert.match(warnings(answer), /hotfix\.revocation\.json by bob@example\.com/);
  // By a stranger: whoever can write here can take the exception away as well.
  await where.put('hotfix.revocation.json', (await revokeFile(utf8(text), 'no', byEve)).text);
  refused(await where.webhook.validate(podReview({ image: name })), 'WB-757');
  const other = await approved(terms((await image()).digest));
  await where.put('hotfix.revocation.json', (await revokeFile(utf8(other), 'another one', byBob)).text);
  assert.equal((await where.webhook.validate(podReview({ image: name }))).response.allowed, true);
});

test('what cannot be read is not honoured, and does not stop the others', async () => {
  const { name, digest } = await image();
  const where = await world({ 'hotfix.json': await approved(terms(digest)), 'junk.json': '{"schema":"x"}' });
  const allowed = async (): Promise<boolean> =>
    (await where.webhook.validate(podReview({ image: name }))).response.allowed;
  assert.equal(await allowed(), true);
  assert.deepEqual(
    (await listed(where)).map((one) => (one.state === 'refused' ? one.reason.code : one.state)),
    ['approved', 'WB-963'],
  );
  await writeFile(where.approvers, approversText.replace('kind: ExceptionApprovers', 'kind: Other'));
  await where.webhook.admission.reload();
  assert.equal(await allowed(), false, 'without approvers nothing is approved');
  await writeFile(where.approvers, approversText);
  await where.webhook.admission.reload();
  assert.equal(await allowed(), true);
  await rename(where.dir, `${where.dir}.gone`);
  await where.webhook.admission.reload();
  assert.equal(await allowed(), false, 'without the folder there is no exception');
});

test('a dry run is told, and leaves nothing in the outbox', async () => {
  const { name, digest } = await image();
  const where = await world({ 'hotfix.json': await approved(terms(digest)) });
  const answer = await where.webhook.validate(podReview({ image: name, dryRun: true }));
  assert.equal(answer.response.allowed, true);
  assert.match(warnings(answer), /^admitted by exception checkout-hotfix/);
  assert.equal(pendingOf(where.outbox), 0);
});

test('an exception whose use cannot be recorded is not honoured: WB-965', async () => {
  const { name, digest } = await image();
  const where = await world({ 'hotfix.json': await approved(terms(digest)) });
  const database = new DatabaseSync(where.outbox);
  database.exec('DROP TABLE uses');
  database.close();
  const answer = await where.webhook.validate(podReview({ image: name }));
  assert.equal(answer.response.allowed, false);
  assert.match(warnings(answer), /^exception checkout-hotfix is not honoured: WB-965/);
  assert.match((await where.webhook.ask('/metrics')).body, /exception_uses_pending Nan$/m);
});

test('a log that cannot be reached leaves the uses where they are', async () => {
  const { digest, name } = await image();
  const outbox = openOutbox(join(base, 'unreachable.db'));
  const use = {
    ...{ uid: 'u', admittedAt: rfc3339(0), exception: 'x', exceptionId: 'f'.repeat(64), namespace: 'shop' },
    ...{ object: 'Pod/api', image: name, digest, excused: ['p/r'] },
  };
  outbox.append([use]);
  const services = { logs: [{ url: 'http://127.0.0.1:9', version: 1 as const }], tsas: [] };
  const signer = signerOf(stack, { kind: 'key', key: generateKey('p256') }, { services });
  const why = await reasonOf(drainOutbox(outbox, { ...byAda, signer }));
  assert.equal(why.side, 'environment');
  assert.deepEqual(outbox.counts(), { pending: 1, logged: 0 });
  const drained = await drainOutbox(outbox, byAda);
  assert.deepEqual(
    drained.map(({ uses }) => uses),
    [1],
  );
  outbox.close();
});

test('uses are logged a hundred at a time, each image named once', async () => {
  const { digest, name } = await image();
  const outbox = openOutbox(join(base, 'many.db'));
  outbox.append(
    Array.from({ length: 101 }, (_, i) => ({
      ...{
        uid: `u${i}`,
        admittedAt: rfc3339(0),
        exception: 'x',
        exceptionId: 'f'.repeat(64),
        namespace: 'shop',
      },
      ...{ object: `Pod/api-${i}`, image: name, digest, excused: ['p/r'] },
    })),
  );
  const drained = await drainOutbox(outbox, byAda);
  assert.deepEqual(
    drained.map(({ uses }) => uses),
    [100, 1],
  );
  const counts = outbox.batches().map(({ uses }) => uses.length);
  assert.deepEqual(counts, [100, 1]);
  outbox.close();
});

test('an outbox that is something else: WB-965', async () => {
  const path = join(base, 'not-sqlite.db');
  await writeFile(path, 'x'.repeat(5000));
  assert.equal((await reasonOf(async () => openOutbox(path))).code, 'WB-965');
});

test('approvers: two people, exact names, a kind of its own', async () => {
  const path = join(base, 'approvers.yaml');
  const cases: readonly (readonly [string, string])[] = [
    [approversText.replace(`  - {identity: ${bob}, issuer: "${issuer}"}\n`, ''), 'WB-751'],
    [approversText.replace(`identity: ${bob}`, 'identity: "*@example.com"'), 'WB-751'],
    [approversText.replace('ExceptionApprovers', 'Approvers'), 'WB-751'],
    [approversText.replace('maxHours: 4', 'maxHours: 745'), 'WB-722'],
    [approversText.replace('maxHours', 'maxhours'), 'WB-721'],
    [approversText.replace(`, issuer: "${issuer}"`, ''), 'WB-723'],
  ];
  for (const [text, code] of cases) {
    await writeFile(path, text);
    assert.equal((await reasonOf(loadApprovers(path))).code, code);
  }
  await writeFile(path, approversText.replace('maxHours: 4', 'maxHours: 744'));
  assert.equal((await loadApprovers(path)).hoursMax, 744);
});

test('terms that cannot be used are refused before anything is signed: WB-750, WB-755', async () => {
  const digest = digestOfText(`sha256:${'a'.repeat(64)}`);
  const good = terms(digest);
  const cases: readonly (readonly [Partial<Exception>, string])[] = [
    [{ name: 'Hot Fix' }, 'WB-750'],
    [{ name: 'a'.repeat(64) }, 'WB-750'],
    [{ namespace: 'shop/*' }, 'WB-750'],
    [{ namespace: '' }, 'WB-750'],
    [{ reason: ' ' }, 'WB-750'],
    [{ reason: 'two\nlines' }, 'WB-750'],
    [{ reason: 'r'.repeat(501) }, 'WB-750'],
    [{ ticket: '\u001b[2J' }, 'WB-750'],
    [{ rule: 'alone' }, 'WB-750'],
    [{ notAfter: good.createdAt - 1000 }, 'WB-755'],
  ];
  const silent = { ...byAda, signer: { sign: () => Promise.reject(new Error('signed')) } };
  for (const [change, code] of cases) {
    const why = await reasonOf(createException({ ...good, ...change }, undefined, silent));
    assert.equal(why.code, code, JSON.stringify(change));
  }
});

test('caps: bytes of a file, files of a folder', async () => {
  const { digest } = await image();
  const text = await approved(terms(digest));
  const fill = (bytes: number): Uint8Array => utf8(text + ' '.repeat(bytes - utf8(text).length));
  assert.ok(parseExceptionFile(fill(limits.exceptionBytes)).ok);
  assert.equal(parseExceptionFile(fill(limits.exceptionBytes + 1)).ok, false);
  const where = await world();
  for (let i = 0; i < limits.exceptionFiles; i++) await writeFile(join(where.dir, `${i}.json`), '{}');
  assert.equal((await listed(where)).length, limits.exceptionFiles);
  await writeFile(join(where.dir, 'one-more.json'), '{}');
  assert.equal((await reasonOf(listed(where))).code, 'WB-964');
});
