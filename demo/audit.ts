/** The audit: from an empty client directory and with nothing but the log service, who did what to this digest? */
import { mkdirSync } from 'node:fs';
import { isRefused, must, passes, reasonText } from './tools.ts';
import type { Walk } from './walk.ts';
import { file, type World } from './world.ts';

interface Step {
  readonly what: string;
  readonly at: string;
  readonly logIndex: number;
  readonly signer: { readonly identity?: string; readonly claims?: Readonly<Record<string, string>> };
}

interface Lineage {
  readonly digest: string;
  readonly steps: readonly Step[];
  readonly unproven: readonly unknown[];
  readonly coverage: readonly { readonly origin: string; readonly treeSize: number }[];
}

export async function searchLog(
  world: World,
  walk: Walk,
  digest: string,
  expected: readonly string[],
): Promise<void> {
  // An empty home and an empty folder: no bundle, no cache, no registry name takes part.
  const home = file(world, 'auditor');
  mkdirSync(home, { recursive: true });
  const run = { cwd: home, env: { ...world.run.env, HOME: home, XDG_CACHE_HOME: home } };
  await walk.step('audit: every log entry about the digest, proven', async () => {
    const lineage = await passes<Lineage>(['audit', 'search', digest], run);
    const kinds = lineage.steps.map((step) => step.what);
    for (const what of expected) must(kinds.includes(what), `no ${what} among ${kinds.join(', ')}`);
    must(lineage.unproven.length === 0, `${lineage.unproven.length} entries could not be proven`);
    const lines = lineage.steps.map((step) => {
      const commit = step.signer.claims?.['sourceRepositoryDigest'];
      const from = commit === undefined ? '' : `, from commit ${commit.slice(0, 12)}`;
      return `${step.at}  #${step.logIndex} ${step.what} by ${step.signer.identity ?? 'a key'}${from}`;
    });
    const covered = lineage.coverage.map(({ origin, treeSize }) => `${treeSize} entries of ${origin}`);
    return { detail: [...lines, `covered: ${covered.join('; ')}`].join('\n'), value: undefined };
  });
  await walk.step(
    'audit: nothing is found about another digest, and the answer says how far it looked',
    async () => {
      const last = digest.at(-1) === '0' ? '1' : '0';
      const args = ['audit', 'search', `${digest.slice(0, -1)}${last}`];
      const reason = await isRefused(args, { exit: 10, code: 'WB-907' }, run);
      return { detail: reasonText(reason), value: undefined };
    },
  );
}
