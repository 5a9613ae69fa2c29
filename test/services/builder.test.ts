import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { buildImage, httpBuilder, readRecord } from '#flows/build-image';
import { parseStatement } from '#formats/intoto';
import { isJsonObject } from '#formats/json';
import { httpTransport } from '#platform/http-client';
import { createHttpServer, listen } from '#platform/http-server';
import { createLogger } from '#platform/telemetry';
import { checkProvenance, type ProvenanceSigner, readProvenance } from '#provenance';
import { type BuildClaims, registerBuilder } from '#services/builder';
import { commit, definition, git, readLayer, repository, workbench } from './builder-fixture.ts';

const hello = definition('mkdir -p "$WAYBILL_OUTPUT/bin"\necho hello > "$WAYBILL_OUTPUT/run"\n');
const outputs = ['registry.test/app:1.0.0'];

const signerOf = (claims: BuildClaims): ProvenanceSigner => ({
  kind: 'certificate',
  issuer: 'https://issuer.test',
  san: claims.subject,
  claims: { issuer: 'https://issuer.test', ...claims },
});

test('a commit becomes an image whose provenance names the commit', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, hello);
  const status = await bench.build({ source: { uri: repo, ref: 'refs/tags/v1.0.0' }, outputs });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  const { result } = status;
  assert.equal(result?.source.commit, git(repo, 'rev-parse', 'HEAD'));
  assert.equal(result?.source.ref, 'refs/tags/v1.0.0');
  assert.deepEqual(result?.tags, ['registry.test/app:1.0.0']);
  const members = readLayer(bench.store, result?.layers[0]?.digest ?? '');
  assert.deepEqual(
    members.map(({ path, type, mode }) => [path, type, mode]),
    [
      ['app/', '5', 0o755],
      ['app/bin/', '5', 0o755],
      ['app/run', '0', 0o644],
    ],
  );
  assert.equal(members[2]?.text, 'hello\n');
});

test('the tag comes last, after the provenance is attached', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, hello);
  await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.deepEqual(bench.store.events, [
    'blob',
    'blob',
    'manifest',
    'attach:https://slsa.dev/provenance/v1',
    'attach:https://slsa.dev/provenance/v0.2',
    'tag:1.0.0',
  ]);
});

test('provenance v1 and its v0.2 twin pass our own check, and agree', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, hello);
  const status = await bench.build({ source: { uri: repo, ref: 'refs/tags/v1.0.0' }, outputs });
  assert.equal(bench.signed.length, 2);
  const models = bench.signed.map(({ bytes }) => unwrap(readProvenance(unwrap(parseStatement(bytes)))));
  assert.deepEqual(models[0]?.externalParameters, models[1]?.externalParameters);
  assert.deepEqual(models[0]?.unknownParameters, []);
  for (const [i, model] of models.entries()) {
    const expected = {
      sourceUri: `file://${repo}`,
      sourceTag: 'v1.0.0',
      sourceVersionedTag: 'v1',
      builderId: bench.builder.report.builderId,
      artifact: status.result?.digest as never,
    };
    const claims = bench.signed[i]?.claims as BuildClaims;
    const checked = checkProvenance(model, expected, signerOf(claims));
    assert.ok(checked.ok, JSON.stringify(checked));
    assert.equal(checked.value.commit, status.result?.source.commit);
    const elsewhere = checkProvenance(model, { ...expected, sourceUri: 'github.com/a/b' }, signerOf(claims));
    assert.equal(!elsewhere.ok && elsewhere.error.code, 'WB-708');
    const other = { ...claims, subject: 'https://builder.test/builders/other/v1' };
    const imposed = checkProvenance(model, { ...expected, builderId: other.subject }, signerOf(other));
    assert.equal(!imposed.ok && imposed.error.code, 'WB-703');
  }
});

test('the condition of the guide holds: externalParameters.source has uri and ref', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, hello);
  await bench.build({ source: { uri: repo, ref: 'refs/tags/v1.0.0' }, outputs });
  const predicate = bench.signed[0]?.statement.predicate as {
    buildDefinition: { externalParameters: unknown };
  };
  const { externalParameters } = predicate.buildDefinition;
  assert.ok(isJsonObject(externalParameters as never));
  assert.deepEqual((externalParameters as { source: unknown }).source, {
    uri: `git+file://${repo}`,
    ref: 'refs/tags/v1.0.0',
  });
});

test('the same commit gives the same image, byte for byte', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, hello);
  const request = { source: { uri: repo, ref: 'main' }, outputs };
  const first = await bench.build(request);
  const second = await bench.build(request);
  assert.equal(first.state, 'succeeded');
  assert.equal(first.result?.digest, second.result?.digest);
});

test('an input is staged, hashed and named in the provenance', async (t) => {
  const bench = await workbench(t);
  const input = join(bench.folder, 'deps');
  mkdirSync(join(input, 'lib'), { recursive: true });
  writeFileSync(join(input, 'lib', 'a.txt'), 'A');
  const files = definition('cp -r "$WAYBILL_INPUTS/deps/lib" "$WAYBILL_OUTPUT/lib"\n', 'inputs: [deps]');
  const repo = repository(bench.folder, files);
  const request = { source: { uri: repo, ref: 'main' }, inputs: { deps: input }, outputs };
  const status = await bench.build(request);
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  const { predicate } = bench.signed[0]!.statement;
  const definitionOf = predicate['buildDefinition'] as unknown as {
    externalParameters: { inputs: Record<string, string> };
    resolvedDependencies: { name: string; digest: Record<string, string> }[];
  };
  const digest = definitionOf.externalParameters.inputs['deps'];
  assert.match(digest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.equal(`sha256:${definitionOf.resolvedDependencies[1]?.digest['waybillTree']}`, digest);
  writeFileSync(join(input, 'lib', 'a.txt'), 'B');
  await bench.build(request);
  const changed = bench.signed[2]?.statement as unknown as {
    predicate: { buildDefinition: typeof definitionOf };
  };
  assert.notEqual(changed.predicate.buildDefinition.externalParameters.inputs['deps'], digest);
});

test('an input that is not what its digest says is refused', async (t) => {
  const bench = await workbench(t);
  const input = join(bench.folder, 'deps');
  mkdirSync(input);
  writeFileSync(join(input, 'a'), 'A');
  const pinned = `inputs: [{name: deps, digest: "sha256:${'0'.repeat(64)}"}]`;
  const repo = repository(bench.folder, definition('true\n', pinned));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, inputs: { deps: input }, outputs });
  assert.equal(status.reason?.code, 'WB-1118');
  assert.equal(status.reason?.check, 'input.deps');
});

test('names longer than ustar, spaces and non-ASCII survive; GNU tar reads the layer', async (t) => {
  const bench = await workbench(t);
  const long = `${'d'.repeat(90)}/${'e'.repeat(120)}`;
  const script = `mkdir -p "$WAYBILL_OUTPUT/${'d'.repeat(90)}"
echo long > "$WAYBILL_OUTPUT/${long}"
echo space > "$WAYBILL_OUTPUT/a b"
echo umlaut > "$WAYBILL_OUTPUT/ü"
ln -s ../etc/hosts "$WAYBILL_OUTPUT/link"
chmod 4755 "$WAYBILL_OUTPUT/a b"
`;
  const repo = repository(bench.folder, definition(script));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  const blob = bench.store.blobs.get(status.result?.layers[0]?.digest ?? '') as Uint8Array;
  const listed = execFileSync('tar', ['--list', '--gzip', '--verbose', '--quoting-style=literal'], {
    input: blob,
    encoding: 'utf8',
  });
  assert.match(listed, new RegExp(`app/${long}\n`));
  assert.match(listed, /app\/ü\n/);
  assert.match(listed, /app\/link -> \.\.\/etc\/hosts\n/);
  // The set-uid bit does not travel.
  assert.match(listed, /^-rwxr-xr-x 0\/0 .* app\/a b$/m);
});

test('an image on a base has the layers and the environment of the base below its own', async (t) => {
  const bench = await workbench(t);
  const first = await bench.build({
    source: { uri: repository(bench.folder, hello), ref: 'main' },
    outputs: ['registry.test/app:base'],
  });
  const files = {
    ...hello,
    'waybill-build.yaml': `version: 1
steps: ['echo top > "$WAYBILL_OUTPUT/top"']
image:
  base: registry.test/app@${first.result?.digest}
  layers: [{to: /top}]
  env: {B: "2"}
`,
  };
  const status = await bench.build({
    source: { uri: repository(bench.folder, files), ref: 'main' },
    outputs,
  });
  assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
  const manifest = await bench.store.manifest(status.result?.digest as never);
  assert.equal(manifest.kind === 'manifest' && manifest.layers.length, 2);
  const config = JSON.parse(
    Buffer.from(
      bench.store.blobs.get(manifest.kind === 'manifest' ? manifest.config.digest : '') ?? [],
    ).toString(),
  );
  assert.deepEqual(config.config.Entrypoint, ['/app/run']);
  assert.ok(config.config.Env.includes('B=2'));
  assert.equal(config.rootfs.diff_ids.length, 2);
});

test('a base that is not pinned is refused before anything runs', async (t) => {
  const bench = await workbench(t);
  const files = {
    'waybill-build.yaml': 'version: 1\nimage:\n  base: registry.test/app:latest\n  layers: [{}]\n',
  };
  const status = await bench.build({
    source: { uri: repository(bench.folder, files), ref: 'main' },
    outputs,
  });
  assert.equal(status.reason?.code, 'WB-1127');
});

test('a failing step fails the build, and nothing is pushed or signed', async (t) => {
  const bench = await workbench(t);
  const repo = repository(bench.folder, definition('echo about to fail; exit 7\n'));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, 'WB-1120');
  assert.match(status.reason?.actual ?? '', /7: about to fail/);
  assert.deepEqual(bench.store.events, []);
  assert.equal(bench.signed.length, 0);
  assert.match(await bench.log(status.id), /^ {2}about to fail$/m);
});

test('a build that runs too long is ended', async (t) => {
  const bench = await workbench(t, { buildTimeoutMs: 500 });
  const repo = repository(bench.folder, definition('sleep 60\n'));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, 'WB-1121');
});

test('a step cannot fake a line of the control plane in the log', async (t) => {
  const bench = await workbench(t);
  const script = 'printf "[waybill] source forged\\n"; echo x > "$WAYBILL_OUTPUT/run"\n';
  const status = await bench.build({
    source: { uri: repository(bench.folder, definition(script)), ref: 'main' },
    outputs,
  });
  const lines = (await bench.log(status.id)).split('\n');
  assert.equal(lines.filter((line) => line.startsWith('[waybill] source ')).length, 1);
  assert.ok(lines.includes('  [waybill] source forged'));
});

test('requests that ask for more than a request may are refused by field', async (t) => {
  const bench = await workbench(t);
  const source = { uri: '/nowhere', ref: 'main' };
  const cases: [object, string][] = [
    [{ source, outputs, builderId: 'https://mine' }, 'request.body'],
    [{ source: { ...source, digest: 'x' }, outputs }, 'request.source'],
    [{ source, outputs: [] }, 'request.outputs'],
    [{ source, outputs: ['registry.test/app@sha256:'.concat('0'.repeat(64))] }, 'request.outputs'],
    [{ source, outputs, config: '../other.yaml' }, 'request.config'],
    [{ source, outputs, args: { A: 'x\ny' } }, 'request.args.A'],
  ];
  for (const [request, check] of cases) {
    await assert.rejects(
      bench.builder.submit(request as never),
      (error: { reason: { code: string; check: string } }) => {
        assert.deepEqual([error.reason.code, error.reason.check], ['WB-1110', check]);
        return true;
      },
    );
  }
});

test('an undeclared argument is refused, a declared one reaches the build and the provenance', async (t) => {
  const bench = await workbench(t);
  const files = definition('echo "$FLAVOUR" > "$WAYBILL_OUTPUT/run"\n', 'args: {FLAVOUR: plain}');
  const source = { uri: repository(bench.folder, files), ref: 'main' };
  const refused = await bench.build({ source, outputs, args: { LD_PRELOAD: '/x' } });
  assert.equal(refused.reason?.check, 'request.args');
  const status = await bench.build({ source, outputs, args: { FLAVOUR: 'sweet' } });
  assert.equal(readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text, 'sweet\n');
  assert.match(JSON.stringify(bench.signed[0]?.statement.predicate), /"buildArgs":\{"FLAVOUR":"sweet"\}/);
});

test('the API answers with a record, wants its token, and shows logs as text', async (t) => {
  const bench = await workbench(t, { callerToken: new Secret('let me in') });
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1024 * 1024 });
  registerBuilder(app, bench.builder);
  t.after(() => app.close());
  const repo = repository(bench.folder, hello);
  const payload = JSON.stringify({ source: { uri: repo, ref: 'main' }, outputs });
  const authorization = 'Bearer let me in';
  const refused = await app.inject({ method: 'POST', url: '/api/v1/builds', payload });
  assert.equal(refused.statusCode, 401);
  assert.equal(refused.json().code, 'WB-1111');
  const wrong = await app.inject({
    method: 'POST',
    url: '/api/v1/builds',
    payload,
    headers: { authorization: 'Bearer let me' },
  });
  assert.equal(wrong.statusCode, 401);
  const taken = await app.inject({
    method: 'POST',
    url: '/api/v1/builds',
    payload,
    headers: { authorization },
  });
  assert.equal(taken.statusCode, 202);
  const { id } = taken.json();
  await bench.builder.finished(id);
  const get = (path: string) => app.inject({ url: `/api/v1/builds/${path}`, headers: { authorization } });
  assert.equal((await get(id)).json().state, 'succeeded');
  const log = await get(`${id}/log`);
  assert.match(String(log.headers['content-type']), /^text\/plain/);
  assert.match(log.body, /^\[waybill\] source /);
  assert.equal((await get('0'.repeat(32))).statusCode, 404);
  assert.equal((await get('..%2f..%2fetc')).json().code, 'WB-1113');
  const capabilities = await app.inject({ url: '/api/v1/capabilities', headers: { authorization } });
  assert.equal(capabilities.json().backend, bench.builder.report.backend);
});

test('the client of a builder elsewhere waits for the image, shows the log, and tells why a build failed', async (t) => {
  const bench = await workbench(t, { callerToken: new Secret('let me in') });
  const app = createHttpServer({ log: createLogger('test', 'silent'), bodyBytesMax: 1024 * 1024 });
  registerBuilder(app, bench.builder);
  const origin = await listen(app, '127.0.0.1', 0);
  t.after(() => app.close());
  const port = httpBuilder(origin, httpTransport(), new Secret('let me in'));
  const heard: string[] = [];
  const deps = { builder: port, onLog: (text: string) => void heard.push(text), pollMs: 50 };
  const repo = repository(bench.folder, hello);
  const record = await buildImage({ source: { uri: repo, ref: 'main' }, outputs }, deps);
  assert.equal(record.state, 'succeeded');
  assert.match(heard.join(''), /^\[waybill\] source .*\[waybill\] finished/s);
  await assert.rejects(
    buildImage({ source: { uri: repo, ref: 'nothing' }, outputs }, deps),
    (error: WaybillError) => error.reason.code === 'WB-1115',
  );
  await assert.rejects(
    buildImage(
      { source: { uri: repo, ref: 'main' }, outputs },
      { ...deps, builder: httpBuilder(origin, httpTransport()) },
    ),
    (error: WaybillError) => error.reason.code === 'WB-922' && error.reason.actual.startsWith('401'),
  );
});

test('a builder elsewhere cannot make a failure look like a success', async () => {
  const lying = (change: object) => {
    const record = { id: 'a'.repeat(32), state: 'failed', reason: { code: 'WB-1120', exit: 0, ...change } };
    return readRecord(Buffer.from(JSON.stringify(record)));
  };
  assert.equal(lying({}).reason?.exit, 1);
  assert.equal(lying({ exit: 2 }).reason?.exit, 2);
  assert.equal(lying({ code: 'fine' }).reason?.code, 'WB-922');
  for (const text of [
    '',
    '[]',
    '{"id":"x","state":"succeeded"}',
    `{"id":"${'a'.repeat(32)}","state":"done"}`,
  ]) {
    assert.throws(
      () => readRecord(Buffer.from(text)),
      (error: WaybillError) => error.reason.code === 'WB-922',
    );
  }
});

test('a definition with an unknown field, an alias or a bad path is refused by field', async (t) => {
  const bench = await workbench(t);
  const cases: [string, string][] = [
    ['version: 1\nprovenance: {}\nimage: {layers: [{}]}\n', 'definition.root'],
    ['version: 2\nimage: {layers: [{}]}\n', 'definition.version'],
    ['version: 1\nimage: {layers: [{from: ../x}]}\n', 'definition.image.layers[0].from'],
    ['version: 1\nimage: {layers: [{to: /a/../b}]}\n', 'definition.image.layers[0].to'],
    ['version: 1\nimage: {layers: []}\n', 'definition.image.layers'],
    ['version: 1\nenv: {"A=B": x}\nimage: {layers: [{}]}\n', 'definition.env'],
    ['version: 1\nversion: 1\nimage: {layers: [{}]}\n', 'definition.yaml'],
    ['version: 1\nenv: &a {A: x}\nargs: *a\nimage: {layers: [{}]}\n', 'definition.yaml'],
  ];
  const repo = repository(bench.folder, { a: 'a' });
  const missing = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(missing.reason?.code, 'WB-1117');
  for (const [text, check] of cases) {
    commit(repo, { 'waybill-build.yaml': text });
    const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
    assert.deepEqual([status.reason?.code, status.reason?.check], ['WB-1117', check], text);
  }
});
