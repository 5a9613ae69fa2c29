/** The page over a stack that is made up: every state, every kind of trouble, hostile words. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Digest } from '#base/brand';
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey } from '#base/crypto';
import { digest, digestOf } from '#base/digest';
import { fail } from '#base/reason';
import type { AttachedItem } from '#facts';
import { type Lineage, lineageReasons } from '#flows/lineage';
import { statementBytes } from '#formats/intoto';
import type { JsonObject } from '#formats/json';
import { ociReasons } from '#oci';
import { createHttpServer } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import {
  CONTENT_SECURITY_POLICY,
  type Overview,
  Page,
  registerPage,
  type SeenImage,
  type StackView,
} from '#services/audit';
import { MINUTE, type Sample, VirtualStack } from '../double/virtual-stack.ts';
import { assertSound, type ReadPage } from './audit-page-html.ts';

const stack = new VirtualStack();
const artifact = utf8('an image');
const image = digestOf(artifact);
const other = digest(`sha256:${'b'.repeat(64)}`);
const DAY = 24 * 60 * MINUTE;
const now = stack.clock.now();
const evil = `"><script>alert('x')</script>&amp;\u202Egnp\u0007${'\u0301'.repeat(30)}`;

const seen = (more: Partial<SeenImage> = {}): SeenImage => ({
  repository: 'acme/api',
  digest: image,
  tags: ['v1.4.2'],
  kind: 'image',
  firstSeen: now - DAY,
  isHere: true,
  ...more,
});

const overview: Overview = {
  stations: [
    { name: 'ca', title: 'certificate authority', url: 'http://127.0.0.1:1', isUp: true },
    { name: 'registry', title: 'OCI registry', url: 'http://127.0.0.1:5000', isUp: true },
  ],
  logs: [
    {
      title: 'Transparency log, API v1',
      origin: 'log.example',
      size: 7,
      checkpoint: `log.example\n7\n${'A'.repeat(43)}=\n\n— log.example AAAAAAAA\n`,
    },
  ],
  expiries: [
    { what: 'Certificate authority, root', detail: 'CN=root', at: now + 400 * DAY, renewsItself: false },
  ],
};

const nothingLogged = (): Promise<Lineage> =>
  Promise.reject(fail(lineageReasons.auditNothing, { expected: 'an entry', actual: 'none' }));

const view = (more: Partial<StackView> = {}): StackView => ({
  overview: () => Promise.resolve(overview),
  images: () => Promise.resolve([seen()]),
  resolve: () => Promise.reject(fail(ociReasons.notFound, { expected: 'it', actual: 'not there' })),
  attached: () => Promise.resolve([]),
  lineage: nothingLogged,
  admissions: () => Promise.resolve(undefined),
  trust: () => stack.trust(),
  ...more,
});

const servers: { close(): Promise<void> }[] = [];
after(async () => {
  for (const server of servers) await server.close();
});

interface Answer {
  readonly status: number;
  readonly html: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

async function get(path: string, more?: Partial<StackView>): Promise<Answer> {
  const app = createHttpServer({ log: createLogger('page', 'silent'), bodyBytesMax: 1024 });
  servers.push(app);
  const page = new Page();
  registerPage(app, page);
  if (more !== undefined) page.open({ view: view(more), clock: new FixedClock(now) });
  const answer = await app.inject({ url: path });
  return { status: answer.statusCode, html: answer.body, headers: answer.headers };
}

async function shown(path: string, more: Partial<StackView> = {}): Promise<ReadPage> {
  const { status, html } = await get(path, more);
  assert.equal(status, 200, html);
  return assertSound(html);
}

const bundle = (sample: Sample, name = 'registry.example/acme/api@sha256:1'): AttachedItem => ({
  kind: 'bundle',
  name,
  bytes: sample.bytes,
});

function statement(predicateType: string, predicate: JsonObject, subject: Digest = image): Uint8Array {
  return statementBytes({ subject: [{ digest: { sha256: subject.slice(7) } }], predicateType, predicate });
}

const signature = stack.sign({ artifact, statement: 'cosign' });
const attached = (...items: readonly AttachedItem[]): Partial<StackView> => ({
  attached: () => Promise.resolve(items),
});
const imagePath = `/image/${image}`;

test('every page forbids scripts and foreign content, and is not kept by caches', async () => {
  for (const path of ['/', imagePath, '/image/nonsense', '/search', '/page.css', '/icon.svg']) {
    const { headers } = await get(path, {});
    assert.equal(headers['content-security-policy'], CONTENT_SECURITY_POLICY, path);
    assert.equal(headers['x-content-type-options'], 'nosniff', path);
  }
  assert.match(CONTENT_SECURITY_POLICY, /^default-src 'none';/);
  assert.doesNotMatch(CONTENT_SECURITY_POLICY, /unsafe|script-src|\*|https?:/);
  assert.equal((await get('/', {})).headers['cache-control'], 'no-store');
});

test('the first page tells health, expiries, log sizes and images', async () => {
  const { text, hrefs } = await shown('/');
  for (const words of ['All 2 services answer', 'Nothing ends before', '7 entries', 'acme/api', 'v1.4.2']) {
    assert.ok(text.includes(words), words);
  }
  assert.ok(hrefs.includes(`${imagePath}?in=acme%2Fapi`));
});

test('a service that is down and an end that comes near are said in words', async () => {
  const [first, second] = overview.stations;
  assert.ok(first !== undefined && second !== undefined);
  const expiries = [
    { what: 'Authority', detail: 'a', at: now - DAY, renewsItself: false },
    { what: 'Signer', detail: 'b', at: now + 5 * DAY, renewsItself: false },
    { what: 'TUF timestamp', detail: 'c', at: now + DAY, renewsItself: true },
  ];
  const stations = [first, { ...second, isUp: false }];
  const { text } = await shown('/', { overview: () => Promise.resolve({ ...overview, stations, expiries }) });
  assert.match(text, /1 service of 2 down: OCI registry/);
  assert.match(text, /2 things ending soon or ended/);
  assert.match(text, /1 day ago Ended/);
  assert.match(text, /in 5 days Soon/);
  assert.match(text, /in 1 day Renews itself/);
});

test('a stack without images says how to get the first one', async () => {
  const { text } = await shown('/', { images: () => Promise.resolve([]) });
  assert.match(text, /No image has been pushed .* waybill copy SOURCE 127\.0\.0\.1:5000\/acme\/api:v1/);
});

test('an image without anything attached is called unsigned, and the page says what to do', async () => {
  const { text, elements } = await shown(imagePath);
  assert.ok(elements.has('svg'));
  assert.match(text, /Unsigned Nobody has signed this image/);
  assert.match(text, /waybill sign REGISTRY\/acme\/api@sha256:/);
  assert.match(text, /entries 0…6 of log\.example/);
  assert.match(text, /No admission webhook reports to this stack/);
});

test('a signature that holds is verified, by whom and when', async () => {
  const { text } = await shown(imagePath, attached(bundle(signature)));
  assert.match(text, /Signed, and everything attached holds 1 of 1 attached item verified/);
  assert.match(text, /dev@acme\.example/);
  assert.match(text, /2026-06-01 12:0[01]:00 UTC, by a trusted clock/);
  assert.match(text, /Evidence: \d+ checks that held/);
});

test('the picture has a box for every step, in both widths', async () => {
  const { html } = await get(imagePath, attached(bundle(signature)));
  for (const form of ['wide', 'narrow']) {
    const start = html.indexOf(`<svg class="${form}"`);
    const picture = html.slice(start, html.indexOf('</svg>\n</a>', start) + 1 || undefined);
    assert.ok(start > 0, form);
    for (const kind of ['source', 'build', 'image', 'attached', 'log', 'admission']) {
      assert.match(html.slice(start), new RegExp(`<a class="box \\w+ ${kind}" href="#`), `${form} ${kind}`);
    }
    assert.match(picture, /<path class="arrow/);
  }
});

test('a statement about another image is refused, in a sentence and with its code', async () => {
  const item = bundle(stack.sign({ artifact, statement: statement('https://cyclonedx.org/bom', {}, other) }));
  const { text } = await shown(imagePath, attached(item));
  assert.match(text, /Nothing attached holds 0 of 1 attached item verified, 1 refused/);
  assert.match(text, /What is inside\? SBOM: none that holds A signed statement is about another artifact\./);
  assert.match(text, /SBOM CycloneDX Refused A signed statement is about another artifact\./);
  assert.match(text, /WB-342 content\.subject/);
});

test('a signature by a bare key is not proven: nobody says whose key it is', async () => {
  const item = bundle(stack.sign({ artifact, statement: 'cosign', key: generateKey('p256') }));
  const { text } = await shown(imagePath, attached(bundle(signature), item));
  assert.match(text, /Signed, but 1 attached item does not hold/);
  assert.match(text, /Not proven An identity is required/);
  assert.match(text, /WB-301/);
});

test('provenance counts when the builder it names signed it, and else is not proven', async () => {
  const builder = 'https://builder.example/v1';
  const predicate: JsonObject = {
    buildDefinition: {
      buildType: 'https://waybill.dev/buildtypes/container/v1',
      externalParameters: {},
      resolvedDependencies: [
        { uri: 'git+https://git.example/acme/api@refs/tags/v1', digest: { gitCommit: 'c'.repeat(40) } },
      ],
    },
    runDetails: { builder: { id: builder } },
  };
  const about = statement('https://slsa.dev/provenance/v1', predicate);
  const leaf = { sans: [{ type: 'uri', value: builder }] } as const;
  const own = await shown(imagePath, attached(bundle(stack.sign({ artifact, statement: about, leaf }))));
  assert.match(own.text, /Who built it\? https:\/\/builder\.example\/v1 signed by this builder/);
  assert.match(own.text, /git\.example\/acme\/api/);
  const foreign = await shown(imagePath, attached(bundle(stack.sign({ artifact, statement: about }))));
  assert.match(foreign.text, /but signed by dev@acme\.example Not proven/);
  assert.match(foreign.text, /the builder it names did not sign it/);
});

test('what a statement says is told: packages, findings, the result of a gate', async () => {
  const sbom = statement('https://cyclonedx.org/bom', { components: [{}, {}, {}] });
  const scan = statement('https://cosign.sigstore.dev/attestation/vuln/v1', {
    scanner: { result: { Results: [{ Vulnerabilities: [{ Severity: 'HIGH' }, { Severity: 'LOW' }] }] } },
    metadata: { scanFinishedOn: '2026-06-01T11:00:00Z' },
  });
  const items = [sbom, scan].map((one) => bundle(stack.sign({ artifact, statement: one })));
  const { text } = await shown(imagePath, attached(...items));
  assert.match(text, /What is inside\? 3 packages/);
  assert.match(text, /Known vulnerabilities\? 2 findings: 1 high, 1 low/);
});

test('hostile names are shown as text, with their invisible characters made visible', async () => {
  const type = `https://evil.example/${evil}`;
  const items = [
    bundle(stack.sign({ artifact, statement: statement(type, {}) }), evil),
    bundle(
      stack.sign({
        artifact,
        statement: 'cosign',
        leaf: { sans: [{ type: 'uri', value: `spiffe://"><script>alert('x')</script>` }] },
      }),
    ),
  ];
  const images = (): Promise<readonly SeenImage[]> =>
    Promise.resolve([seen({ repository: evil, tags: [evil] })]);
  const { text } = await shown(imagePath, { ...attached(...items), images });
  assert.ok(text.includes('⟨U+202E⟩'));
  assert.ok(text.includes('⟨U+0007⟩'));
  assert.ok(text.replaceAll(' ', '').includes(`"><script>alert('x')</script>`));
  assertSound((await get('/', { images })).html);
});

test('admissions are listed when a webhook reports them', async () => {
  const admissions = () =>
    Promise.resolve([
      { at: now, isAllowed: false, object: 'shop/Pod/api', message: evil },
      { at: now - DAY, isAllowed: true, object: 'shop/Pod/old', message: '' },
    ]);
  const { text } = await shown(imagePath, { admissions });
  assert.match(text, /Denied 2026-06-01 12:30:00 UTC shop\/Pod\/api/);
  assert.match(text, /Admitted 2026-05-31/);
});

test('a registry that does not answer makes the page incomplete, never unsigned', async () => {
  const broken = fail(ociReasons.status, { expected: 'status 200', actual: 'status 500' });
  const { text } = await shown(imagePath, { attached: () => Promise.reject(broken) });
  assert.match(text, /Incomplete Part of the evidence could not be read/);
  assert.match(text, /Could not read what is attached in acme\/api/);
  assert.doesNotMatch(text, /Unsigned/);
});

test('one repository does not answer for another', async () => {
  const images = () => Promise.resolve([seen(), seen({ repository: 'mallory/api', tags: ['v9'] })]);
  const asked: string[] = [];
  const inOne = await shown(`${imagePath}?in=mallory%2Fapi`, {
    images,
    attached: (repository) => {
      asked.push(repository);
      return Promise.resolve([]);
    },
  });
  assert.deepEqual(asked, ['mallory/api']);
  assert.match(inOne.text, /The same image is also in acme\/api/);
});

test('the search box leads to a digest as it is, and to what a name names', async () => {
  const hex = image.slice(7);
  for (const query of [image, hex, ` ${image} `]) {
    const answer = await get(`/search?q=${encodeURIComponent(query)}`, {});
    assert.deepEqual([answer.status, answer.headers['location']], [303, imagePath]);
  }
  const resolve = () => Promise.resolve({ repository: 'acme/api', digest: image });
  const named = await get('/search?q=acme%2Fapi%3Av1', { resolve });
  assert.deepEqual([named.status, named.headers['location']], [303, `${imagePath}?in=acme%2Fapi`]);
});

test('what cannot be found is a page with the reason and the way back', async () => {
  const cases: readonly [string, number, RegExp][] = [
    [`/image/${other}`, 404, /Nothing here knows this image .*7 entries of log\.example.*WB-1181/],
    ['/image/nonsense', 404, /WB-1181/],
    ['/image/a/b', 404, /WB-1181/],
    [`${imagePath}?in=..%2F..`, 404, /WB-1181/],
    ['/search?q=no%2Fsuch', 404, /There is no such image.*WB-502/],
    ['/search?q=', 400, /That cannot be searched for .*WB-1180/],
    [`/search?q=${'x'.repeat(501)}`, 400, /WB-1180/],
  ];
  for (const [path, status, words] of cases) {
    const answer = await get(path, {});
    assert.equal(answer.status, status, path);
    assert.match(assertSound(answer.html).text, words, path);
  }
  const reflected = await get(`/search?q=${encodeURIComponent(evil)}`, {});
  assert.equal(reflected.status, 404);
  assertSound(reflected.html);
});

test('before the stack is up the page says so: 503, WB-1182', async () => {
  const { status, html } = await get('/');
  assert.equal(status, 503);
  assert.match(assertSound(html).text, /Not available now .*WB-1182/);
});
