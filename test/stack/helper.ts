/** A stack in a temporary folder, and the pieces tests sign and verify with. */
import { mkdtempSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { composeStack, type Stack, type StackConfig } from '#stack';
import { freePortBase } from '../free-ports.ts';

export * from './signing.ts';

/** Of all stacks of a test file, as all stacks of a user share one. */
export const LOCK_DIR = mkdtempSync(join(tmpdir(), 'waybill-test-locks-'));

const folders: string[] = [LOCK_DIR];
const stacks: Stack[] = [];
after(async () => {
  for (const stack of stacks) await stack.close();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-test-stack-'));
  folders.push(folder);
  return folder;
}

export async function startStack(more: Partial<StackConfig> = {}): Promise<Stack> {
  const fresh = async (): Promise<Pick<StackConfig, 'dataDir' | 'portBase'>> => ({
    dataDir: join(await temporaryFolder(), 'data'),
    portBase: await freePortBase(),
  });
  const { dataDir, lockDir = LOCK_DIR } = more;
  const place = dataDir === undefined ? await fresh() : { dataDir };
  const stack = await composeStack({ ...place, logLevel: 'silent', ...more, lockDir });
  stacks.push(stack);
  return stack;
}
