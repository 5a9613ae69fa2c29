import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { digest } from '#base/digest';
import {
  parsePinned,
  parseReference,
  parseRepository,
  pinnedText,
  reference,
  referenceText,
  tagText,
} from '#formats/reference';

const D = `sha256:${'ab'.repeat(32)}`;

/** What is written → the one canonical form of its meaning. */
const canonical: readonly (readonly [string, string])[] = [
  ['nginx', 'docker.io/library/nginx:latest'],
  ['nginx:1.27', 'docker.io/library/nginx:1.27'],
  ['docker.io/nginx', 'docker.io/library/nginx:latest'],
  ['index.docker.io/library/nginx', 'docker.io/library/nginx:latest'],
  ['registry-1.docker.io/library/nginx:1', 'docker.io/library/nginx:1'],
  ['docker.io:443/nginx', 'docker.io/library/nginx:latest'],
  ['team/app', 'docker.io/team/app:latest'],
  ['ghcr.io/team/app:v1', 'ghcr.io/team/app:v1'],
  ['GHCR.IO/team/app:v1', 'ghcr.io/team/app:v1'],
  ['ghcr.io:443/team/app', 'ghcr.io/team/app:latest'],
  ['ghcr.io:8443/team/app', 'ghcr.io:8443/team/app:latest'],
  ['localhost/app', 'localhost/app:latest'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['host:5000/x', 'host:5000/x:latest'],
  ['host:443/x', 'host:443/x:latest'],
  ['Host/x', 'host:443/x:latest'],
  ['[::1]:5000/app', '[::1]:5000/app:latest'],
  ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c:latest'],
  ['xn--bcher-kva.example/app', 'xn--bcher-kva.example/app:latest'],
  [`nginx@${D}`, `docker.io/library/nginx@${D}`],
  [`nginx:1.27@${D}`, `docker.io/library/nginx:1.27@${D}`],
  ['host.example/a__b/c-d/e.f:T', 'host.example/a__b/c-d/e.f:T'],
];

for (const [written, meant] of canonical) {
  test(`${written} means ${meant}`, () => {
    const parsed = parseReference(written);
    assert.ok(parsed.ok);
    assert.equal(referenceText(parsed.value), meant);
  });
}

const refused = [
  '',
  ' nginx',
  'nginx ',
  'Nginx/App',
  'ghcr.io/Team/app',
  'https://ghcr.io/team/app',
  'docker://ghcr.io/team/app',
  'ghcr.io./team/app',
  'bücher.example/app',
  'ghcr.io/team//app',
  'ghcr.io/team/../app',
  'ghcr.io/team/app/',
  'ghcr.io/',
  '/app',
  'ghcr.io:0/app',
  'ghcr.io:99999/app',
  'ghcr.io:x/app',
  'ghcr.io/app:',
  'ghcr.io/app:-x',
  `ghcr.io/app:${'t'.repeat(129)}`,
  `ghcr.io/${'a'.repeat(256)}`,
  'ghcr.io/app@',
  'ghcr.io/app@sha256:',
  'ghcr.io/app@sha256:../../x',
  `ghcr.io/app@sha256:${'A'.repeat(64)}`,
  `ghcr.io/app@sha256:${'a'.repeat(63)}`,
  `ghcr.io/app@sha256:${'a'.repeat(65)}`,
  `ghcr.io/app@md5:${'a'.repeat(32)}`,
  `ghcr.io/app@${D}@${D}`,
  `ghcr.io/app@sha256:${'١'.repeat(64)}`,
  '[::1/app',
  'a\u0000b',
  `ghcr.io/${'a/'.repeat(600)}a`,
];

for (const text of refused) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused`, () => {
    const parsed = parseReference(text);
    assert.equal(parsed.ok, false);
    if (!parsed.ok) assert.equal(parsed.error.code, 'WB-185');
  });
}

test('a repository of 255 characters is taken, a tag of 128 too', () => {
  assert.ok(parseReference(`ghcr.io/${'a'.repeat(255)}:${'t'.repeat(128)}`).ok);
});

test('upper case is explained', () => {
  const parsed = parseReference('ghcr.io/Team/app');
  assert.ok(!parsed.ok && /lower-case/.test(parsed.error.hint));
});

test('a pinned reference needs a digest', () => {
  assert.equal(parsePinned('nginx').ok, false);
  assert.ok(parsePinned(`nginx@${D}`).ok);
});

test('a repository takes neither tag nor digest', () => {
  assert.deepEqual(parseRepository('ghcr.io/team/sigs'), {
    ok: true,
    value: { registry: 'ghcr.io', repository: 'team/sigs' },
  });
  assert.equal(parseRepository('ghcr.io/team/sigs:v1').ok, false);
  assert.equal(parseRepository(`ghcr.io/team/sigs@${D}`).ok, false);
});

test('texts for tags and digests are built from the parts', () => {
  const ref = reference('ghcr.io/team/app');
  assert.equal(pinnedText(ref, digest(D)), `ghcr.io/team/app@${D}`);
  assert.equal(tagText(ref, 'v2'), 'ghcr.io/team/app:v2');
});

test('the canonical form is a fixed point', () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?$/);
  const host = fc.constantFrom('', 'ghcr.io/', 'localhost:5000/', 'a.b.c:1/', 'docker.io/');
  const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/));
  fc.assert(
    fc.property(host, fc.array(component, { minLength: 1, maxLength: 4 }), tag, (h, path, t) => {
      const first = parseReference(`${h}${path.join('/')}${t === null ? '' : `:${t}`}`);
      if (!first.ok) return;
      const again = parseReference(referenceText(first.value));
      assert.deepEqual(again, first);
    }),
  );
});

const file = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/kyverno/image-reference.json');
if (!existsSync(file)) {
  console.log('note: vectors/kyverno/image-reference.json is not there; that suite did not run');
} else {
  interface Vector {
    readonly source: string;
    readonly input: string;
    readonly defaultRegistry: string;
    readonly result?: { path: string; registry: string; tag: string; digest: string };
  }
  const all = JSON.parse(readFileSync(file, 'utf8')) as readonly Vector[];
  const comparable = all.filter((v) => v.result?.path !== undefined && v.defaultRegistry === 'docker.io');
  test('references mean what they mean in Kyverno, but for library/ and malformed digests', () => {
    assert.ok(comparable.length >= 5);
    for (const { input, result } of comparable) {
      const parsed = parseReference(input);
      const isRealDigest = !input.includes('@') || /@sha256:[0-9a-f]{64}$/.test(input);
      assert.equal(parsed.ok, isRealDigest, input);
      if (!parsed.ok || result === undefined) continue;
      assert.equal(parsed.value.registry, result.registry);
      assert.equal(parsed.value.repository.replace(/^library\//, ''), result.path);
      assert.equal(parsed.value.tag ?? '', result.tag);
      assert.equal(parsed.value.digest ?? '', result.digest);
    }
  });
}
