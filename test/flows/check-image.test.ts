/** The checklist on a real stack: all yes, and each question turned to no by one change. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { utf8, utf8Text } from '#base/bytes';
import { expectationsOf } from '#flows/check-expectations';
import { type CheckedImage, type CheckImageDeps, checkImage } from '#flows/check-image';
import { type CheckItem, checkExit } from '#flows/check-item';
import type { Profile } from '#flows/check-profile';
import { copyImage } from '#flows/copy-image';
import type { JsonObject } from '#formats/json';
import type { Transport } from '#platform/http-client';
import { waybillHere } from '../cli/here.ts';
import { counting } from '../double/counting-transport.ts';
import { quickRegistry } from '../oci/helpers.ts';
import { guidePolicy } from '../policy/samples.ts';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import {
  BASE_SIGNER,
  BUILDER,
  type Changes,
  CheckWorld,
  databaseOf,
  type Published,
  RELEASE,
  TAG,
} from './check-world.ts';

let api: Published;
const stack = await startStack();
const world = new CheckWorld(stack);
const folder = await temporaryFolder();
const policy = join(folder, 'policy.yaml');
const elsewhere = join(folder, 'elsewhere.yaml');
const otherSubject = join(folder, 'other-subject.yaml');

before(async () => {
  const text = guidePolicy.replace('https://token.actions.githubusercontent.com', world.githubIssuer);
  await writeFile(policy, text);
  await writeFile(elsewhere, text.replace('ghcr.io/acme/*', 'ghcr.io/other/*'));
  await writeFile(otherSubject, text.replace('/release.yml', '/other.yml'));
  await world.publishBase();
  api = await world.publish('api');
});

const profile = (): Profile => ({
  signer: { identity: RELEASE, issuer: world.githubIssuer },
  source: 'github.com/acme/api',
  tag: TAG,
  builder: { id: BUILDER, issuer: world.workloadIssuer, level: 3 },
  base: { identity: BASE_SIGNER, issuer: stack.origins.oidc },
  policies: [policy],
  mirror: [],
  audit: stack.origins.audit,
});

async function check(
  image: string,
  changes: Partial<Profile> = {},
  deps: Partial<CheckImageDeps> = {},
): Promise<CheckedImage> {
  return checkImage(image, await expectationsOf({ ...profile(), ...changes }), { ...world.deps, ...deps });
}

const shown = ({ items }: CheckedImage): string => JSON.stringify(items, undefined, 1);

/** Everything is yes, but the items named, which have this answer and code. */
function assertOnly(
  checked: CheckedImage,
  wanted: Readonly<Record<string, readonly [string, string]>>,
): void {
  const other = checked.items.filter(({ answer }) => answer !== 'yes');
  assert.deepEqual(
    Object.fromEntries(other.map(({ id, answer, reason }) => [id, [answer, reason?.code]])),
    wanted,
    shown(checked),
  );
}

test('an image that is all in order: every answer is yes, with evidence', async () => {
  const { pinned, digest } = api;
  const checked = await check(pinned);
  assertOnly(checked, {});
  assert.deepEqual(
    checked.items.map(({ id }) => id),
    ['pinned', 'base', 'sbom', 'scan', 'signature', 'provenance', 'logged', 'admitted'],
  );
  assert.deepEqual([checked.pinned, checked.digest, checkExit(checked.items)], [pinned, digest, 0]);
  for (const { id, evidence } of checked.items) assert.notEqual(evidence.length, 0, id);
  const of = (id: string): string => checked.items.find((item) => item.id === id)?.evidence.join('\n') ?? '';
  assert.match(
    of('base'),
    /ghcr\.io\/acme\/base@sha256:\w+, according to provenance and annotations\n1 layer of it, first/s,
  );
  assert.match(of('base'), /by base@example\.com/);
  assert.match(of('sbom'), /3 packages, written by waybill, the same as in the image/);
  assert.match(of('scan'), /findings: 1 low/);
  assert.match(of('signature'), /release\.yml@refs\/tags\/v1\.4\.2/);
  assert.match(of('provenance'), /SLSA Build L3/);
  assert.match(of('logged'), /proven in a tree of \d+[\s\S]*the audit service proves 4 entries/);
  assert.match(of('admitted'), /pass require-signed-images\/verify-acme-signature/);
});

test('what is attached to an image is read once, however many questions are about it', async () => {
  const { transport, state } = counting();
  const checked = await check(api.pinned, {}, { registry: quickRegistry({ transport }) });
  assertOnly(checked, {});
  const listed = state.asked.filter((one) => one.includes(`referrers/${api.digest}`));
  assert.equal(listed.length, 1, state.asked.join('\n'));
  const again = state.asked.filter((one, at) => state.asked.indexOf(one) !== at);
  // Layers are read by those who look into them; nothing that is evidence is read twice.
  const names = again.filter((one) => !one.includes('/blobs/'));
  assert.deepEqual(names, []);
});

/** One change of the image each. */
const ofImage: Readonly<Record<string, readonly [Changes, string, string]>> = {
  'without a signature': [{ signature: 'none' }, 'signature', 'WB-901'],
  'with provenance of another tag': [{ provenanceTag: 'v1.4.3' }, 'provenance', 'WB-710'],
  'whose builder says it reached level 2': [{ statedLevel: 2 }, 'provenance', 'WB-940'],
  'without provenance': [{ withoutProvenance: true }, 'provenance', 'WB-902'],
  'on another base layer than it says': [{ otherLayer: true }, 'base', 'WB-934'],
  'scanned a month ago': [{ scannedDaysAgo: 30 }, 'scan', 'WB-937'],
  'scanned in a time to come': [{ scannedDaysAgo: -1 }, 'scan', ''],
  'with a high finding': [{ severity: 'HIGH' }, 'scan', 'WB-938'],
  'with a scan in another form': [{ scan: (one) => ({ ...one, scanner: { result: {} } }) }, 'scan', 'WB-939'],
  'with a scan of the sample': [{ scan: sampleScan }, 'scan', 'WB-939'],
  'with an SBOM that misses a package': [{ sbom: (one) => without(one, 'debug') }, 'sbom', 'WB-936'],
  'with an SBOM of an older version': [{ sbom: (one) => replaced(one, '4.4.1', '4.4.0') }, 'sbom', 'WB-936'],
};

function sampleScan(predicate: JsonObject): JsonObject {
  return JSON.parse(
    JSON.stringify(predicate).replace('"isSampleOnly":false', '"isSampleOnly":true'),
  ) as JsonObject;
}

function without(document: JsonObject, name: string): JsonObject {
  const components = document['components'] as unknown as readonly JsonObject[];
  const left = components.filter((one) => one['name'] !== name);
  assert.equal(left.length, components.length - 1);
  return { ...document, components: left };
}

const replaced = (document: JsonObject, from: string, to: string): JsonObject =>
  JSON.parse(JSON.stringify(document).replaceAll(from, to)) as JsonObject;

for (const [index, [name, [changes, id, code]]] of Object.entries(ofImage).entries()) {
  test(`an image ${name}: ${code === '' ? 'its trusted time counts' : `${id} is no, ${code}`}`, async () => {
    const checked = await check((await world.publish(`image-${index}`, changes)).pinned);
    // Without a signature the policy does not let it in either.
    const also = id === 'signature' ? { admitted: ['no', 'WB-943'] as const } : {};
    assertOnly(checked, code === '' ? {} : { [id]: ['no', code], ...also });
    assert.equal(checkExit(checked.items), code === '' ? 0 : 2);
  });
}

test('what is missing from an SBOM is named, and what is no longer there', async () => {
  const { pinned } = await world.publish('stale', { sbom: (one) => replaced(one, '4.4.1', '4.4.0') });
  const sbom = (await check(pinned)).items.find(({ id }) => id === 'sbom');
  assert.deepEqual(sbom?.evidence.slice(1), [
    'not in the SBOM: npm debug 4.4.1',
    'not in the image: npm debug 4.4.0',
  ]);
});

/** Timestamps and logs tell seconds: what is signed after this is newer than all before. */
const nextSecond = (): Promise<void> => setTimeout(1001 - (Date.now() % 1000));

test('a newer attestation that is right counts beside an older one that is not', async () => {
  await world.publish('twice', { scannedDaysAgo: 30, sbom: (one) => without(one, 'debug') });
  await nextSecond();
  assertOnly(await check((await world.publish('twice')).pinned), {});
});

test('an older SBOM that agrees does not make up for a newer one that does not, and the older is told', async () => {
  const sbomItem = async (pinned: string): Promise<CheckItem | undefined> =>
    (await check(pinned)).items.find(({ id }) => id === 'sbom');
  await world.publish('worse');
  await nextSecond();
  const { pinned } = await world.publish('worse', { sbom: (one) => without(one, 'debug') });
  const worse = await sbomItem(pinned);
  assert.deepEqual([worse?.answer, worse?.reason?.code], ['no', 'WB-936']);
  assert.deepEqual(worse?.evidence.slice(1), [
    'not in the SBOM: npm debug 4.4.1',
    '1 older SBOM agreed, which does not count',
  ]);
  await nextSecond();
  const mended = await sbomItem((await world.publish('worse')).pinned);
  assert.equal(mended?.answer, 'yes');
  assert.equal(mended?.evidence.at(-1), '1 older SBOM attested too, not the same: the newest counts');
});

test('a signature in the old layout alone is promised, not proven: logged is no, WB-941', async () => {
  const { pinned } = await world.publish('legacy', { signature: 'legacy' });
  // The policy asks for bundles, so it does not see the old layout.
  assertOnly(await check(pinned, { policies: [] }), {
    logged: ['no', 'WB-941'],
    admitted: ['unknown', 'WB-931'],
  });
});

test('without any claim about the base it is not known; a name in the profile is enough', async () => {
  const { pinned } = await world.publish('bare', { baseClaims: false });
  assertOnly(await check(pinned), { base: ['no', 'WB-933'] });
  const base = { identity: BASE_SIGNER, issuer: stack.origins.oidc, image: world.base };
  assertOnly(await check(pinned, { base }), {});
  assertOnly(await check(pinned, { base: 'scratch' }), {});
});

/** One change of what is expected each, over the image that is in order. */
const ofProfile: Readonly<Record<string, readonly [() => Partial<Profile>, string, string, string]>> = {
  'another base signer': [
    () => ({ base: { identity: 'eve@example.com', issuer: stack.origins.oidc } }),
    'base',
    'no',
    'WB-351',
  ],
  'no base signer': [() => ({ base: {} }), 'base', 'unknown', 'WB-931'],
  'another base': [
    () => ({ base: { ...(profile().base as object), image: `ghcr.io/acme/base@sha256:${'0'.repeat(64)}` } }),
    'base',
    'no',
    'WB-933',
  ],
  'no base at all': [() => ({ base: 'scratch' }), 'base', 'no', 'WB-933'],
  'another source': [() => ({ source: 'github.com/acme/other' }), 'provenance', 'no', 'WB-708'],
  'no tag': [() => ({ tag: '' }), 'provenance', 'unknown', 'WB-931'],
  'another builder': [
    () => ({ builder: { id: 'https://builder.test/builders/other/v1', issuer: world.workloadIssuer } }),
    'provenance',
    'no',
    'WB-351',
  ],
  'a builder without its issuer': [() => ({ builder: { id: BUILDER } }), 'provenance', 'unknown', 'WB-931'],
  'a level the builder is not trusted with': [
    () => ({
      builder: { id: BUILDER, issuer: world.workloadIssuer, buildType: 'https://other.test/v1', level: 3 },
    }),
    'provenance',
    'no',
    'WB-705',
  ],
  'a smaller threshold': [() => ({ severity: 'low' }), 'scan', 'no', 'WB-938'],
  'other attesters': [
    () => ({ attestations: { identity: 'eve@example.com', issuer: stack.origins.oidc } }),
    'sbom scan',
    'no',
    'WB-350',
  ],
  'a policy for another signer': [() => ({ policies: [otherSubject] }), 'admitted', 'no', 'WB-943'],
  'a policy for other images': [() => ({ policies: [elsewhere] }), 'admitted', 'no', 'WB-943'],
  'no policy': [() => ({ policies: [] }), 'admitted', 'unknown', 'WB-931'],
  'an audit service that does not answer': [
    () => ({ audit: 'http://127.0.0.1:9' }),
    'logged',
    'unknown',
    'WB-201',
  ],
};

for (const [name, [changes, ids, answer, code]] of Object.entries(ofProfile)) {
  test(`expecting ${name}: ${ids} is ${answer}, ${code}`, async () => {
    const { pinned } = api;
    const given = { ...profile(), ...changes() };
    const { tag, ...rest } = given;
    const expected = await expectationsOf(tag === '' ? rest : given);
    const checked = await checkImage(pinned, expected, world.deps);
    assertOnly(checked, Object.fromEntries(ids.split(' ').map((id) => [id, [answer, code] as const])));
    assert.equal(checkExit(checked.items), code === 'WB-201' ? 20 : 2);
  });
}

test('expecting another signer: signature is no; nothing else is held against the image', async () => {
  const { pinned } = api;
  const signer = { identity: RELEASE.replace('v1.4.2', 'v1.4.3'), issuer: world.githubIssuer };
  const attestations = profile().signer;
  assertOnly(await check(pinned, { signer, attestations }), { signature: ['no', 'WB-351'] });
});

test('expecting nothing: what can be seen is answered, the rest is unknown, and that is not a pass', async () => {
  const { pinned } = api;
  const checked = await checkImage(
    pinned,
    await expectationsOf({ signer: {}, policies: [], mirror: [] }),
    world.deps,
  );
  assert.deepEqual(
    checked.items.map(({ id, answer }) => `${id} ${answer}`),
    [
      'pinned yes',
      'base unknown',
      'sbom unknown',
      'scan unknown',
      'signature unknown',
      'provenance unknown',
      'logged unknown',
      'admitted unknown',
    ],
  );
  assert.equal(checkExit(checked.items), 2);
});

test('an image named by its tag is answered for its digest, and pinned is no', async () => {
  const { tagged, pinned } = api;
  const checked = await check(tagged);
  assertOnly(checked, { pinned: ['no', 'WB-932'] });
  assert.equal(checked.pinned, pinned);
});

test('an image in a folder is asked everything but the policies, which match names', async () => {
  const place = join(folder, 'layout');
  const from = `${stack.registryHost}/acme/api@${api.digest}`;
  await copyImage(world.registry, from, `oci:${place}:v1`);
  const wanted = { admitted: ['unknown', 'WB-931'] } as const;
  assertOnly(await check(`oci:${place}@${api.digest}`), wanted);
  assertOnly(await check(`oci:${place}:v1`), { pinned: ['no', 'WB-932'], ...wanted });
});

test('an index: the signature is over the index, the contents are those of one platform', async () => {
  const { pinned, digest } = await world.publish('index', { asIndex: true });
  const checked = await check(pinned);
  assertOnly(checked, {});
  assert.equal(checked.digest, digest);
  const other = await check(pinned, {}, { platform: { os: 'linux', architecture: 'arm64' } });
  assert.deepEqual(
    other.items.filter(({ answer }) => answer !== 'yes').map(({ id, reason }) => `${id} ${reason?.code}`),
    ['base WB-511', 'sbom WB-511'],
    shown(other),
  );
});

test('an answer of an audit service that another stack signed is no answer: WB-906', async () => {
  const other = await startStack();
  assertOnly(await check(api.pinned, { audit: other.origins.audit }), { logged: ['no', 'WB-906'] });
});

/** A transport that leaves entries out of what the audit service says. */
function forgetful(keep: (entries: readonly unknown[]) => readonly unknown[]): Partial<CheckImageDeps> {
  const { transport } = world.deps;
  const request: Transport['request'] = async (asked) => {
    const answer = await transport.request(asked);
    if (!asked.url.includes('/audit/search')) return answer;
    const json = JSON.parse(utf8Text(answer.body)) as { entries: unknown[] };
    return { ...answer, body: utf8(JSON.stringify({ ...json, entries: keep(json.entries) })) };
  };
  return { transport: { ...transport, request } };
}

test('an entry the image carries and the audit service does not know: WB-942, and nothing known: WB-907', async () => {
  const less = await check(
    api.pinned,
    {},
    forgetful((entries) => entries.slice(1)),
  );
  assertOnly(less, { logged: ['no', 'WB-942'] });
  const none = await check(
    api.pinned,
    {},
    forgetful(() => []),
  );
  assertOnly(none, { logged: ['no', 'WB-907'] });
});

test('a registry that stops answering is trouble, not a verdict: all that depends on it is unknown, exit 20', async () => {
  const transport: Transport = {
    ...world.deps.transport,
    request: (asked) =>
      /referrers|sha256-/.test(asked.url)
        ? Promise.resolve({ status: 503, headers: new Map(), body: new Uint8Array(), url: asked.url })
        : world.deps.transport.request(asked),
  };
  const checked = await check(api.pinned, {}, { registry: quickRegistry({ transport }) });
  assert.deepEqual(
    checked.items.map(({ id, answer, reason }) => `${id} ${answer} ${reason?.side ?? ''}`.trimEnd()),
    [
      'pinned yes',
      ...['base', 'sbom', 'scan', 'signature', 'provenance', 'logged', 'admitted'].map(
        (id) => `${id} unknown environment`,
      ),
    ],
    shown(checked),
  );
  assert.equal(checked.items.at(-1)?.reason?.code, 'WB-944');
  assert.equal(checkExit(checked.items), 20);
});

test('what has become known since the scan is found by scanning the attested SBOM again', async () => {
  const { pinned } = api;
  const [low, high] = [databaseOf('LOW'), databaseOf('HIGH')];
  const calm = await check(pinned, {}, { database: low });
  assertOnly(calm, {});
  assert.match(shown(calm), /scanned again with 1 advisories/);
  assertOnly(await check(pinned, {}, { database: high }), { scan: ['no', 'WB-873'] });
  // Without a current SBOM nothing can be scanned again, and the scan of then is no answer for today.
  const stale = await world.publish('stale-rescan', { sbom: (one) => without(one, 'debug') });
  const wanted = { sbom: ['no', 'WB-936'], scan: ['no', 'WB-945'] } as const;
  assertOnly(await check(stale.pinned, {}, { database: high }), wanted);
  low.close();
  high.close();
});

const waybill = (...args: readonly string[]) =>
  waybillHere(['check', ...args], { env: { ...process.env, WAYBILL_STACK: stack.dataDir } });

/** The command finds its files in the current folder. */
function inFolder(t: TestContext): void {
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
}

test('the command reads waybill.yaml, and each option replaces what it says', async (t) => {
  inFolder(t);
  const { pinned, digest } = api;
  await writeFile(
    join(folder, 'waybill.yaml'),
    `schema: waybill.dev/profile/v1
identity: { glob: "https://github.com/acme/api/.github/workflows/release.yml@refs/tags/*" }
issuer: ${world.githubIssuer}
source: github.com/acme/api
tag: ${TAG}
builder: { id: "${BUILDER}", issuer: "${world.workloadIssuer}", level: 3 }
thresholds: { severity: high, scanAgeDays: 7 }
base: { identity: ${BASE_SIGNER}, issuer: "${stack.origins.oidc}" }
policies: [policy.yaml]
mirror: ["ghcr.io/acme/*=${stack.registryHost}/acme/*"]
`,
  );
  const passed = await waybill(pinned, '--json');
  const json = JSON.parse(passed.stdout);
  assert.deepEqual([passed.code, json.schema, json.ok], [0, 'waybill.dev/check/v1', true], passed.stdout);
  assert.deepEqual(
    [json.profile, json.digest, json.counts],
    ['waybill.yaml', digest, { yes: 8, no: 0, unknown: 0 }],
  );
  const text = await waybill(pinned);
  assert.match(text.stdout, /^checked ghcr\.io\/acme\/api@sha256:\w+\nyes {6}named by digest\n/);
  assert.match(text.stdout, /\n8 yes, 0 no, 0 unknown\n$/);

  const options: readonly (readonly [readonly string[], number, string])[] = [
    [['--source-tag', 'v1.4.3'], 2, 'provenance WB-710'],
    [['--certificate-identity', RELEASE, '--fail-on', 'low'], 2, 'scan WB-938'],
    [['--base-image', 'scratch'], 2, 'base WB-933'],
    [['--policy', 'elsewhere.yaml'], 2, 'admitted WB-943'],
    [['--audit-url', 'http://127.0.0.1:9'], 20, 'logged WB-201'],
  ];
  const runs = options.map(async ([args, exit, wanted]) => {
    const ran = await waybill(pinned, '--json', ...args);
    const { items, ok } = JSON.parse(ran.stdout);
    const open = (items as CheckedImage['items']).filter(({ answer }) => answer !== 'yes');
    assert.deepEqual(
      [ran.code, ok, open.map(({ id, reason }) => `${id} ${reason?.code}`)],
      [exit, false, [wanted]],
      ran.stdout,
    );
  });
  await Promise.all(runs);
});

test('the command refuses what it cannot use, before anything is asked', async (t) => {
  inFolder(t);
  await writeFile(join(folder, 'bad.yaml'), 'identity: me@example.com\nisuer: https://idp.example\n');
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['ghcr.io/acme/none:v1', '--mirror', `ghcr.io/acme/*=${stack.registryHost}/acme/*`], 11, /WB-502/],
    [['x', '--profile', 'bad.yaml'], 3, /WB-930[\s\S]*bad\.yaml:2:1: isuer[\s\S]*did you mean issuer\?/],
    [['x', '--profile', 'nowhere.yaml'], 3, /WB-209/],
    [['x', '--policy', 'bad.yaml'], 3, /WB-72/],
    [['x', '--level', '4'], 3, /WB-1305/],
    [
      ['x', '--certificate-identity-regexp', '(', '--certificate-oidc-issuer', 'https://a.example'],
      3,
      /WB-361/,
    ],
  ];
  const runs = cases.map(async ([args, exit, pattern]) => {
    const refused = await waybill(...args, '--quiet');
    assert.match(refused.stderr, pattern, args.join(' '));
    assert.equal(refused.code, exit, args.join(' '));
  });
  await Promise.all(runs);
});
