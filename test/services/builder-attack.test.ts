/**
 * A hostile build on every back end that works here: each attempt is made by a build of the ordinary flow and
 * its result is asserted. What a back end does not close has to stand in its report.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSocket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemRandom } from '#platform/system';
import { attacks, type BackendName } from '#services/builder';
import type { SandboxBackend } from '../../src/services/builder/sandbox.ts';
import { bwrapBackend } from '../../src/services/builder/sandbox-bwrap.ts';
import { usernsBackend } from '../../src/services/builder/sandbox-userns.ts';
import { noneBackend, uidBackend } from '../../src/services/builder/sandbox-weak.ts';
import { selfTest } from '../../src/services/builder/self-test.ts';
import {
  definition,
  isRoot,
  nodeInput,
  openFolder,
  readLayer,
  repository,
  workbench,
} from './builder-fixture.ts';

const outputs = ['registry.test/app:1'];

const attackScript = `
import fs from 'node:fs';
import net from 'node:net';
import { execFileSync, spawn } from 'node:child_process';
const aim = JSON.parse(process.env.AIM);
const got = {};
const tried = (name, body) => {
  try { got[name] = body() ?? null; } catch (error) { got[name] = null; }
};
const others = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
const ours = (pid) => {
  try { return fs.readFileSync('/proc/' + pid + '/cmdline', 'latin1').includes('attack.mjs'); } catch { return true; }
};
const foreign = others.filter((pid) => !ours(pid));
const first = (what) => {
  for (const pid of foreign) {
    try { const found = what(pid); if (found) return pid; } catch {}
  }
  return null;
};
tried('environ', () => first((pid) => fs.readFileSync('/proc/' + pid + '/environ').length > 0));
tried('memory', () => first((pid) => { fs.closeSync(fs.openSync('/proc/' + pid + '/mem', 'r+')); return true; }));
tried('descriptors', () => first((pid) => fs.readdirSync('/proc/' + pid + '/fd').length > 0));
tried('root', () => first((pid) => fs.readdirSync('/proc/' + pid + '/root/').length > 0));
tried('signal', () => first((pid) => { process.kill(Number(pid), 0); return true; }));
tried('ptrace', () => first((pid) => {
  execFileSync('strace', ['-p', pid, '-o', '/dev/null', '-e', 'trace=none'], { timeout: 300, stdio: 'ignore' });
  return true;
}));
tried('tokenFile', () => fs.readFileSync(aim.tokenFile, 'utf8'));
tried('tokenThroughLink', () => {
  fs.symlinkSync(aim.tokenFile, process.env.WAYBILL_OUTPUT + '/token');
  return fs.readFileSync(process.env.WAYBILL_OUTPUT + '/token', 'utf8');
});
tried('inherited', () => {
  for (const fd of fs.readdirSync('/proc/self/fd').map(Number)) {
    try {
      const target = fs.readlinkSync('/proc/self/fd/' + fd);
      if (target.includes(aim.tokenFile)) return target;
    } catch {}
  }
  return null;
});
tried('ownEnvironment', () => Object.keys(process.env).find((name) => /TOKEN|SECRET|KEY|AUTH|SOCK|PROXY/i.test(name)));
tried('jwtOnDisk', () => {
  for (const folder of ['/etc', '/run', '/var/run', '/var/lib', '/home', '/root', '/tmp', '/dev/shm']) {
    try {
      for (const name of fs.readdirSync(folder)) {
        try { if (fs.readFileSync(folder + '/' + name, 'latin1').includes('eyJhbGciOi')) return folder + '/' + name; } catch {}
      }
    } catch {}
  }
  return null;
});
tried('writeSource', () => { fs.appendFileSync(process.env.WAYBILL_SOURCE + '/build.sh', '#'); return 'written'; });
tried('device', () => { execFileSync('mknod', ['/tmp/disk', 'b', '8', '0'], { stdio: 'ignore' }); return 'made'; });
tried('corePattern', () => { fs.writeFileSync('/proc/sys/kernel/core_pattern', '|/tmp/x'); return 'written'; });
tried('remount', () => { execFileSync('mount', ['-o', 'remount,rw', '/usr'], { stdio: 'ignore' }); return 'remounted'; });
tried('nestedNamespace', () => {
  execFileSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], { stdio: 'ignore' });
  return 'made';
});
tried('terminal', () => { fs.closeSync(fs.openSync('/dev/tty', 'r+')); return 'opened'; });
const reach = (name, where) => new Promise((resolve) => {
  const socket = net.connect(where, () => { got[name] = 'connected'; socket.destroy(); resolve(); });
  socket.on('error', () => { got[name] = null; resolve(); });
});
await reach('signerSocket', { path: aim.socket });
await reach('dockerSocket', { path: '/var/run/docker.sock' });
for (const [name, port] of Object.entries(aim.ports)) {
  try {
    const answer = await fetch('http://127.0.0.1:' + port + '/mint', { signal: AbortSignal.timeout(20_000) });
    got[name] = await answer.text();
  } catch { got[name] = null; }
}
try {
  await fetch('http://169.254.169.254/', { signal: AbortSignal.timeout(500) });
  got.metadata = 'answered';
} catch { got.metadata = null; }
fs.writeFileSync(process.env.WAYBILL_OUTPUT + '/got.json', JSON.stringify(got));
`;

function emptyFolder(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path, { mode: 0o711 });
  return path;
}

interface Target {
  readonly server: Server;
  readonly port: number;
  readonly hits: string[];
}

async function loopback(t: TestContext): Promise<Target> {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(request.url ?? '');
    response.end('eyJhbGciOi-minted');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  return { server, hits, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

/** Runs the attack on one back end; returns what it got, by attempt, and how often loopback was reached. */
async function attack(t: TestContext, backend: BackendName) {
  const bench = await workbench(t, { backend });
  const controlFolder = join(bench.folder, 'data', 'control');
  mkdirSync(controlFolder, { mode: 0o700 });
  const tokenFile = join(controlFolder, 'token');
  writeFileSync(tokenFile, 'eyJhbGciOi-token', { mode: 0o600 });
  const held = openSync(tokenFile, 'r');
  t.after(() => closeSync(held));
  const socket = join(controlFolder, 'signer');
  const signer = createSocket((connection) => connection.destroy());
  signer.listen(socket);
  await once(signer, 'listening');
  t.after(() => signer.close());
  const [issuer, ca, log] = await Promise.all([loopback(t), loopback(t), loopback(t)]);
  const aim = { tokenFile, socket, ports: { issuer: issuer.port, ca: ca.port, log: log.port } };
  const files = {
    ...definition('exec "$WAYBILL_INPUTS/node/node" attack.mjs\n', 'args: {AIM: "{}"}\ninputs: [node]'),
    'attack.mjs': attackScript,
  };
  const status = await bench.build({
    source: { uri: repository(bench.folder, files), ref: 'main' },
    inputs: { node: nodeInput(bench.folder) },
    args: { AIM: JSON.stringify(aim) },
    outputs,
  });
  return { bench, status, hits: [issuer, ca, log].flatMap(({ hits }) => hits) };
}

function gotOf(run: Awaited<ReturnType<typeof attack>>): Record<string, string | null> {
  assert.equal(run.status.state, 'succeeded', JSON.stringify(run.status.reason));
  const members = readLayer(run.bench.store, run.status.result?.layers[0]?.digest ?? '');
  const text = members.find(({ path }) => path === 'app/got.json')?.text ?? '{}';
  return JSON.parse(text);
}

const reached = (got: Record<string, string | null>): string[] =>
  Object.keys(got)
    .filter((name) => got[name] !== null)
    .sort();

async function works(backend: BackendName): Promise<string | undefined> {
  const found = [usernsBackend, bwrapBackend, uidBackend].find(({ name }) => name === backend);
  const why = await found?.probe();
  if (why !== undefined)
    console.log(`note: back end ${backend} does not work here (${why}); its attacks did not run`);
  return why;
}

for (const backend of ['userns', 'bwrap'] as const) {
  if ((await works(backend)) !== undefined) continue;
  test(`${backend}: a hostile build reaches nothing of the control plane`, async (t) => {
    const run = await attack(t, backend);
    assert.deepEqual(reached(gotOf(run)), []);
    assert.deepEqual(run.hits, []);
    assert.deepEqual(run.bench.builder.report.open, []);
    assert.equal(run.status.result?.level.level, 3);
    assert.equal(run.status.result?.builderId, `https://builder.test/builders/${backend}/v1`);
  });
}

if ((await works('uid')) === undefined) {
  test('uid: what another user cannot reach stays closed, what is open stands in the report', async (t) => {
    const run = await attack(t, 'uid');
    const got = gotOf(run);
    for (const name of ['environ', 'memory', 'descriptors', 'root', 'signal', 'ptrace'] as const) {
      assert.equal(got[name], null, name);
    }
    for (const name of [
      'tokenFile',
      'tokenThroughLink',
      'inherited',
      'signerSocket',
      'writeSource',
      'device',
    ]) {
      assert.equal(got[name], null, name);
    }
    assert.equal(got['issuer'], 'eyJhbGciOi-minted');
    const { report } = run.bench.builder;
    assert.ok(report.open.includes('loopback-network') && report.open.includes('leave-behind'));
    assert.equal(run.status.result?.level.level, 2);
    assert.equal(run.status.result?.builderId, 'https://builder.test/builders/uid/v1');
  });
}

test('none: nothing is closed, and it says so: level 1 under an id of its own', async (t) => {
  const { bench } = { bench: await workbench(t, { backend: 'none' }) };
  const { report } = bench.builder;
  for (const name of ['parent-environ', 'parent-memory', 'signer-socket', 'token-file', 'outlive'] as const) {
    assert.ok(report.open.includes(name), name);
  }
  assert.equal(report.level.level, 1);
  assert.match(report.level.notMore.join(), /the build can reach the signing identity/);
  assert.equal(report.builderId, 'https://builder.test/builders/none/v1');
});

test('a self-test that finds what a back end claims to close takes its name and its level away', async (t) => {
  const folder = openFolder(t);
  const place = { random: systemRandom, baseUri: 'https://b.test', hosted: true, secretFiles: [] };
  const honest = await selfTest(noneBackend, { ...place, folder: emptyFolder(folder, 'a') });
  const boasting = { ...noneBackend, name: 'userns' as const, closes: new Set(attacks) };
  const report = await selfTest(boasting, { ...place, folder: emptyFolder(folder, 'b') });
  assert.equal(honest.selfTest, 'passed');
  assert.equal(report.selfTest, 'failed');
  assert.equal(report.builderId, 'https://b.test/builders/userns-weakened/v1');
  assert.equal(report.level.level, 1);
  assert.deepEqual(report.open, honest.open);
});

test('a sandbox that runs nothing closes nothing: silence is no evidence', async (t) => {
  const folder = openFolder(t);
  const mute: SandboxBackend = {
    ...noneBackend,
    name: 'userns',
    closes: new Set(attacks),
    prepare: async (spec) => ({
      ...(await noneBackend.prepare(spec)),
      view: { source: spec.sourceDir, output: spec.outputDir, inputs: spec.scratchDir },
      run: async () => ({ code: 0, timedOut: false }),
      destroy: async () => {},
    }),
  };
  const place = { random: systemRandom, baseUri: 'https://b.test', hosted: true, secretFiles: [] };
  const report = await selfTest(mute, { ...place, folder: emptyFolder(folder, 'a') });
  assert.deepEqual(report.open, [...attacks]);
  assert.equal(report.level.level, 1);
});

test('the level is not 3 when the operator has not declared the builder hosted', async (t) => {
  const bench = await workbench(t, { hosted: false });
  if (bench.builder.report.open.includes('signer-socket')) {
    console.log('note: no isolating back end here; what being hosted adds to a level was not tested');
    return;
  }
  assert.equal(bench.builder.report.level.level, 1);
  assert.match(bench.builder.report.level.notMore.join(), /hosted/);
});

test('a descriptor the builder inherited itself is not handed to a build', async () => {
  const script = `
    import { inheritableDescriptors, startChild, childEnd } from '${new URL('../../src/services/builder/sandbox-process.ts', import.meta.url).href}';
    const before = inheritableDescriptors();
    let said = '';
    const child = startChild({ command: '/bin/ls', args: ['-l', '/proc/self/fd'], env: {}, cwd: '/', onOutput: (c) => { said += c; } });
    await childEnd(child, 5000, () => child.kill());
    console.log(JSON.stringify({ before, said }));
  `;
  const secret = openSync(fileURLToPath(import.meta.url), 'r');
  // Far above the first gap, so that the runtime's own sweep at its start does not find it.
  const stdio: ('ignore' | 'pipe' | 'inherit' | number)[] = ['ignore', 'pipe', 'inherit'];
  while (stdio.length < 40) stdio.push('ignore');
  stdio.push(secret);
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio });
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  await once(child, 'close');
  closeSync(secret);
  const { before, said } = JSON.parse(out);
  assert.ok(before.includes(40));
  assert.doesNotMatch(said, /builder-attack/);
  assert.match(said, /40 -> \/dev\/null/);
});

const isolating: readonly BackendName[] = isRoot ? ['userns', 'uid'] : ['userns'];
for (const backend of isolating) {
  if ((await works(backend)) !== undefined) continue;

  test(`${backend}: a process left behind cannot change the output after the build`, async (t) => {
    const bench = await workbench(t, { backend });
    // A machine would have to be very slow to be this late, and no process is left to write after that.
    const mark = `300.86${process.pid}`;
    const script = `echo original > "$WAYBILL_OUTPUT/run"
setsid sh -c '(sleep ${mark}; echo changed > "$WAYBILL_OUTPUT/run"; sleep ${mark}) >/dev/null 2>&1 & ' &
(setsid sleep ${mark} >/dev/null 2>&1 < /dev/null &)
exit 0
`;
    const status = await bench.build({
      source: { uri: repository(bench.folder, definition(script)), ref: 'main' },
      outputs,
    });
    assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
    assert.equal(readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text, 'original\n');
    const alive = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`sleep\0${mark}`);
      } catch {
        return false;
      }
    });
    assert.deepEqual(alive, []);
  });

  test(`${backend}: a build that is ended for time leaves no process`, async (t) => {
    const bench = await workbench(t, { backend, buildTimeoutMs: 400 });
    const mark = `87${process.pid}.25`;
    const script = `(setsid sleep ${mark} &)\nsleep ${mark}\n`;
    const status = await bench.build({
      source: { uri: repository(bench.folder, definition(script)), ref: 'main' },
      outputs,
    });
    assert.equal(status.reason?.code, 'WB-1121');
    const alive = readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });
    assert.deepEqual(alive, []);
  });

  test(`${backend}: provenance forged inside the build is only a file in the image`, async (t) => {
    const bench = await workbench(t, { backend });
    const forged = '{"predicateType":"https://slsa.dev/provenance/v1","predicate":{"runDetails":{}}}';
    const script = `cd "$WAYBILL_OUTPUT"
echo '${forged}' > provenance.json; echo '${forged}' > app.intoto.jsonl
echo "::set-output name=digest::sha256:${'0'.repeat(64)}"
echo "builder.id=https://github.com/slsa-framework/x"; echo x > run
`;
    const status = await bench.build({
      source: { uri: repository(bench.folder, definition(script)), ref: 'main' },
      outputs,
    });
    assert.equal(status.state, 'succeeded', JSON.stringify(status.reason));
    assert.equal(bench.signed.length, 2);
    for (const { statement, claims } of bench.signed) {
      assert.deepEqual(
        statement.subject.map(({ digest }) => `sha256:${digest.sha256}`),
        [status.result?.digest],
      );
      assert.equal(claims.buildSignerUri, bench.builder.report.builderId);
      assert.ok(JSON.stringify(statement.predicate).includes(bench.builder.report.builderId));
      assert.ok(!JSON.stringify(statement.predicate).includes('slsa-framework'));
    }
  });
}

const badOutputs: readonly (readonly [string, string, string, RegExp])[] = [
  ['a pipe', 'mkfifo "$WAYBILL_OUTPUT/p"', 'WB-1122', /a device, pipe or socket/],
  ['a link out of the image', 'ln -s ../../../etc/shadow "$WAYBILL_OUTPUT/s"', 'WB-1122', /etc\/shadow/],
  ['a whiteout', ': > "$WAYBILL_OUTPUT/.wh.etc"', 'WB-1122', /\.wh\.etc/],
  ['nothing', 'true', 'WB-1122', /nothing/],
  ['a name that is not UTF-8', `: > "$WAYBILL_OUTPUT/$(printf '\\377')"`, 'WB-1122', /not UTF-8/],
  [
    'two sparse files larger than the cap',
    'truncate -s 5G "$WAYBILL_OUTPUT/a"; truncate -s 5G "$WAYBILL_OUTPUT/b"',
    'WB-1123',
    /more, at b/,
  ],
];

for (const [what, script, code, actual] of badOutputs) {
  test(`an output with ${what} is refused`, async (t) => {
    const bench = await workbench(t);
    const repo = repository(bench.folder, definition(`${script}\n`));
    const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
    assert.deepEqual([status.reason?.code, bench.store.events], [code, []], JSON.stringify(status.reason));
    assert.match(status.reason?.actual ?? '', actual);
  });
}

test('a link in the output is kept as a link: what it points to on this host is never read', async (t) => {
  const bench = await workbench(t);
  const script = 'ln -s /etc/passwd "$WAYBILL_OUTPUT/users"; ln -s / "$WAYBILL_OUTPUT/root"\n';
  const repo = repository(bench.folder, definition(script));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  const members = readLayer(bench.store, status.result?.layers[0]?.digest ?? '');
  assert.deepEqual(
    members.slice(1).map(({ path, type, target, text }) => [path, type, target, text]),
    [
      ['app/root', '2', '/', ''],
      ['app/users', '2', '/etc/passwd', ''],
    ],
  );
});

test('a layer folder that is a link is refused', async (t) => {
  const bench = await workbench(t);
  const files = {
    'waybill-build.yaml': `version: 1
steps: ['ln -s /etc "$WAYBILL_OUTPUT/app"']
image: {layers: [{from: app, to: /app}]}
`,
  };
  const status = await bench.build({
    source: { uri: repository(bench.folder, files), ref: 'main' },
    outputs,
  });
  assert.equal(status.reason?.code, 'WB-1122');
});

test('one build leaves nothing for the next', async (t) => {
  const bench = await workbench(t);
  if (!existsSync('/proc/self/ns/user') || bench.builder.report.open.includes('leave-behind')) {
    console.log('note: no isolating back end here; the test of what builds leave behind did not run');
    return;
  }
  const leave =
    'for d in /tmp /dev/shm /var/tmp; do echo x > $d/left || true; done; echo 1 > "$WAYBILL_OUTPUT/run"\n';
  const look = 'ls -A /tmp /dev/shm /var/tmp > "$WAYBILL_OUTPUT/run"\n';
  const build = (script: string) =>
    bench.build({ source: { uri: repository(bench.folder, definition(script)), ref: 'main' }, outputs });
  assert.equal((await build(leave)).state, 'succeeded');
  const status = await build(look);
  const text = readLayer(bench.store, status.result?.layers[0]?.digest ?? '')[1]?.text ?? '';
  assert.doesNotMatch(text, /left/);
});

test('a build that locks its own folders is still cleaned up', async (t) => {
  const bench = await workbench(t);
  const script =
    'mkdir -p "$WAYBILL_OUTPUT/a/b"; echo x > "$WAYBILL_OUTPUT/a/b/c"; chmod 0 "$WAYBILL_OUTPUT/a"\n';
  const repo = repository(bench.folder, definition(script));
  const status = await bench.build({ source: { uri: repo, ref: 'main' }, outputs });
  assert.equal(status.reason?.code, isRoot ? undefined : 'WB-1122', JSON.stringify(status.reason));
  assert.deepEqual(readdirSync(join(bench.folder, 'work')), []);
});
