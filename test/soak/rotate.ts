/** Every key of a stack, rotated again and again while somebody signs without a pause. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { composeStack } from '#stack';
import { rotateUnderLoad } from '../stack/rotation-drill.ts';

/** How many signatures were made; throws when one fails or does not verify. */
export async function rotateAgain(rounds: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'waybill-soak-rotate-'));
  try {
    const stack = await composeStack({
      dataDir: join(folder, 'data'),
      lockDir: join(folder, 'locks'),
      logLevel: 'silent',
    });
    try {
      return (await rotateUnderLoad(stack, { rounds, pauseMs: 0 })).length;
    } finally {
      await stack.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
