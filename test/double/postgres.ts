/**
 * A PostgreSQL server of one's own: a fresh cluster in a temporary folder, on a Unix socket alone, under another
 * user when the test runs as root (the server refuses root). Ended by its process id.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PostgresServer {
  /** For `openPostgres`. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this machine has the server's programs. */
export const hasPostgres = (): boolean => spawnSync('initdb', ['--version']).status === 0;

function ownerOf(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string, name: string): number =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8' }).trim());
  const name = spawnSync('id', ['postgres']).status === 0 ? 'postgres' : 'nobody';
  return { uid: id('-u', name), gid: id('-g', name) };
}

async function untilReady(socket: string, owner: Owner | undefined): Promise<void> {
  for (let i = 0; i < 2400; i++) {
    const { status } = spawnSync('pg_isready', ['-q', '-h', socket], { ...owner });
    if (status === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('PostgreSQL did not start');
}

export async function startPostgres(): Promise<PostgresServer> {
  const owner = ownerOf();
  // A short path: a Unix socket's name has about a hundred bytes.
  const root = mkdtempSync(join(tmpdir(), 'wb-pg-'));
  const data = join(root, 'data');
  const socket = join(root, 's');
  for (const folder of [data, socket]) mkdirSync(folder, { mode: 0o700 });
  if (owner !== undefined) for (const path of [root, data, socket]) chownSync(path, owner.uid, owner.gid);
  const as = { ...owner, cwd: root, stdio: 'ignore' as const };
  // What initdb itself writes need not be on disk; what the server commits must be.
  execFileSync('initdb', ['-D', data, '-U', 'waybill', '-A', 'trust', '-N', '-E', 'UTF8', '--locale=C'], as);
  const settings = ['listen_addresses=', `unix_socket_directories=${socket}`, 'shared_buffers=32MB'];
  const server = spawn('postgres', ['-D', data, ...settings.flatMap((text) => ['-c', text])], as);
  const ended = new Promise<void>((resolve) => server.on('close', () => resolve()));
  await untilReady(socket, owner);
  return {
    url: `postgres://waybill@/postgres?host=${socket}`,
    pid: server.pid as number,
    stop: async () => {
      // Fast shutdown: connections are ended, nothing is lost.
      server.kill('SIGINT');
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}
