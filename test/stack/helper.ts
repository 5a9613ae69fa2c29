/** A stack in a temporary folder, and the pieces tests sign and verify with. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { composeStack, type Stack, type StackConfig } from '#stack';
import { freePortBase } from '../free-ports.ts';

export * from './signing.ts';

const folders: string[] = [];
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
  const { dataDir } = more;
  const place = dataDir === undefined ? await fresh() : { dataDir };
  const stack = await composeStack({ ...place, logLevel: 'silent', ...more });
  stacks.push(stack);
  return stack;
}
