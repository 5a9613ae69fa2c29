/** A registry that wants a login, a home folder, and a credential helper that keeps secrets in a file. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { after } from 'node:test';
import { Secret } from '#base/secret';
import { type RunResult, run } from '#platform/process';
import { systemRandom } from '#platform/system';
import { createRegistry, hashPassword, type RunningRegistry } from '#services/registry';

export interface LoginWorld {
  readonly registry: RunningRegistry;
  /** HOME, and the folder of docker's config.json. */
  readonly home: string;
  /** Where `docker-credential-folder` keeps what it gets. */
  readonly kept: string;
  run(command: string, args: readonly string[], input?: string): Promise<RunResult>;
  /** The same, which has to end well. */
  passes(command: string, args: readonly string[], input?: string): Promise<string>;
  waybill(...args: readonly string[]): Promise<string>;
}

export const PASSWORD = 'a pass:word';

const HELPER = `#!/bin/sh
set -e
case "$1" in
  store) cat > "$KEPT/secret" ;;
  get) cat > /dev/null; test -f "$KEPT/secret" || { echo 'credentials not found in native keychain'; exit 1; }
       cat "$KEPT/secret" ;;
  erase) cat > /dev/null; rm -f "$KEPT/secret" ;;
esac
`;

/** User alice may pull and push `team/*`; it all ends with the test file. */
export async function loginWorld(): Promise<LoginWorld> {
  const home = await mkdtemp(join(tmpdir(), 'waybill-login-'));
  const [bin, kept] = [join(home, 'bin'), join(home, 'kept')];
  for (const folder of [bin, kept]) await mkdir(folder);
  await writeFile(join(bin, 'docker-credential-folder'), HELPER);
  await chmod(join(bin, 'docker-credential-folder'), 0o755);
  const passwordHash = await hashPassword(new Secret(PASSWORD), systemRandom);
  const rights = { actions: ['pull', 'push'] as const, repositories: ['team/*'] };
  const registry = await createRegistry({
    dataDir: join(home, 'registry'),
    users: [{ name: 'alice', passwordHash, ...rights }],
  });
  after(async () => {
    await registry.close();
    await rm(home, { recursive: true });
  });
  const path = `${bin}${delimiter}${process.env['PATH']}`;
  const env = {
    ...process.env,
    PATH: path,
    HOME: home,
    DOCKER_CONFIG: home,
    KEPT: kept,
    XDG_RUNTIME_DIR: home,
  };
  const start: LoginWorld['run'] = (command, args, input) =>
    run(command, args, { env, timeoutMs: 60_000, ...(input === undefined ? {} : { input }) });
  const passes: LoginWorld['passes'] = async (command, args, input) => {
    const { code, stdout, stderr } = await start(command, args, input);
    assert.equal(code, 0, `${command} ${args.join(' ')}\n${stderr}`);
    return stdout.trim();
  };
  return {
    ...{ registry, home, kept, run: start, passes },
    waybill: (...args) => passes(resolve('bin/waybill'), args, `${PASSWORD}\n`),
  };
}
