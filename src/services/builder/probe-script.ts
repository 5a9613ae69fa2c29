/**
 * The hostile build of the self-test: runs inside a sandbox and tries to reach what the control plane laid out
 * for it. Prints one JSON line for each attempt. It is JavaScript for the Node that runs the builder, kept as
 * text because it must not need anything but that binary.
 */
export const probeScript = `
import fs from 'node:fs';
import net from 'node:net';
import { spawn, spawnSync } from 'node:child_process';

const bait = JSON.parse(process.argv[2]);
const said = [];
const report = (attack, reached, detail) => said.push({ attack, reached, detail: String(detail).slice(0, 200) });

function attempt(attack, body) {
  try {
    const detail = body();
    report(attack, detail !== undefined, detail ?? 'nothing found');
  } catch (error) {
    report(attack, false, error.code ?? error.message);
  }
}

const pids = () => fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));

/** The control plane is the process that started when it did: pids differ between namespaces, ticks do not. */
const startOf = (pid) => {
  const stat = fs.readFileSync('/proc/' + pid + '/stat', 'latin1');
  return stat.slice(stat.lastIndexOf(')')).split(' ')[20];
};
const candidates = fs.existsSync('/proc') ? pids().filter((pid) => {
  try {
    return Number(pid) !== process.pid && startOf(pid) === bait.parentStart;
  } catch {
    return false;
  }
}) : [];

attempt('parent-environ', () => {
  if (JSON.stringify(process['env']).includes(bait.secret)) return 'own environment';
  for (const pid of candidates) {
    try {
      if (fs.readFileSync('/proc/' + pid + '/environ', 'latin1') !== '') return 'environ of ' + pid;
    } catch {}
  }
  return undefined;
});
attempt('parent-memory', () => {
  for (const pid of candidates) {
    try {
      fs.closeSync(fs.openSync('/proc/' + pid + '/mem', 'r'));
      return 'memory of ' + pid;
    } catch {}
  }
  return undefined;
});
attempt('parent-descriptors', () => {
  for (const pid of candidates) {
    try {
      if (fs.readdirSync('/proc/' + pid + '/fd').length > 0) return 'descriptors of ' + pid;
    } catch {}
  }
  return undefined;
});
attempt('parent-signal', () => {
  for (const pid of candidates) {
    try {
      process.kill(Number(pid), 0);
      return 'pid ' + pid + ' can be signalled';
    } catch {}
  }
  return undefined;
});
attempt('token-file', () => {
  for (const path of bait.files) {
    try {
      if (fs.readFileSync(path, 'utf8').includes(bait.secret)) return path;
    } catch {}
  }
  return undefined;
});
attempt('inherited-descriptors', () => {
  for (const fd of fs.readdirSync('/proc/self/fd').map(Number).filter((n) => n > 2)) {
    let to;
    try {
      to = fs.readlinkSync('/proc/self/fd/' + fd);
    } catch {
      continue;
    }
    const own = /^(anon_inode:|pipe:|socket:|\\/dev\\/null|\\/proc\\/)/.test(to) || to === process.argv[1];
    if (!own || bait.files.includes(to)) return fd + ' -> ' + to;
  }
  return undefined;
});
attempt('write-source', () => {
  fs.writeFileSync(bait.source + '/planted', 'x');
  return bait.source;
});
attempt('write-input', () => {
  fs.writeFileSync(bait.inputs + '/probe/planted', 'x');
  return bait.inputs;
});
attempt('become-root', () => {
  for (const [what, call] of [['setuid', () => process.setuid(0)], ['setgid', () => process.setgid(0)]]) {
    try {
      call();
      return what + ' 0';
    } catch {}
  }
  const mount = spawnSync('mount', ['-t', 'tmpfs', 'none', '/tmp']);
  if (mount.status === 0) return 'mount';
  return fs.readFileSync('/proc/self/status', 'latin1').match(/CapEff:\\s*0*([1-9a-f]\\w*)/)?.[1];
});
attempt('other-build', () => {
  for (const path of bait.others) {
    try {
      fs.readdirSync(path);
      return path;
    } catch {}
  }
  return undefined;
});
attempt('leave-behind', () => {
  for (const path of bait.shared) {
    try {
      fs.writeFileSync(path, 'x');
    } catch {}
  }
  return undefined;
});
attempt('outlive', () => {
  const script = 'for (let i = 0; i < 40; i++) { await new Promise((r) => setTimeout(r, 50)); ' +
    "(await import('node:fs')).writeFileSync(" + JSON.stringify(bait.output + '/outlived') + ', String(i)); }';
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { detached: true, stdio: 'ignore' });
  child.unref();
  return undefined;
});
// What did not start in time would be taken for something that was ended.
for (let i = 0; i < 200 && !fs.existsSync(bait.output + '/outlived'); i++) {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

const reach = (attack, where) => new Promise((resolve) => {
  const socket = net.connect(where);
  const done = (reached, detail) => {
    socket.destroy();
    report(attack, reached, detail);
    resolve();
  };
  socket.on('connect', () => done(true, JSON.stringify(where)));
  socket.on('error', (error) => done(false, error.code));
  setTimeout(() => done(false, 'no answer'), 2000);
});
await reach('signer-socket', { path: bait.socket });
await reach('abstract-socket', { path: '\\0' + bait.abstract });
await reach('loopback-network', { host: '127.0.0.1', port: bait.port });
for (const line of said) process.stdout.write(JSON.stringify(line) + '\\n');
process.exit(0);
`;
