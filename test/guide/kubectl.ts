/** `kubectl run NAME --image=REF`: asks the webhook as an API server would, and answers as kubectl does. */
import { readFileSync } from 'node:fs';
import { review } from '../../demo/policies.ts';
import { postJson } from '../../demo/tools.ts';

interface Answer {
  readonly allowed: boolean;
  readonly patch?: string;
  readonly status?: { readonly message?: string };
}

const [verb, name, flag = ''] = process.argv.slice(2);
const image = /^--image=(.+)$/.exec(flag)?.[1];
const { GUIDE_WEBHOOK: origin = '', GUIDE_WEBHOOK_CA: ca = '' } = process.env;

async function ask(path: '/mutate' | '/validate', of: string): Promise<Answer> {
  const answer = await postJson(`${origin}${path}`, review(of), readFileSync(ca, 'utf8'));
  return answer['response'] as Answer;
}

function pinned({ patch }: Answer, before: string): string {
  const operations = JSON.parse(Buffer.from(patch ?? 'W10=', 'base64').toString()) as { value?: unknown }[];
  const change = operations.find(({ value }) => typeof value === 'string' && value.includes('@sha256:'));
  return String(change?.value ?? before);
}

function denied(hook: string, { status }: Answer): void {
  console.error(
    `Error from server: admission webhook "${hook}" denied the request: ${status?.message ?? ''}`,
  );
  process.exitCode = 1;
}

if (verb !== 'run' || image === undefined) {
  console.error(`kubectl ${process.argv.slice(2).join(' ')}: not simulated`);
  process.exitCode = 1;
} else {
  const mutated = await ask('/mutate', image);
  const validated = mutated.allowed ? await ask('/validate', pinned(mutated, image)) : undefined;
  if (validated === undefined) denied('mutate.waybill', mutated);
  else if (!validated.allowed) denied('validate.waybill', validated);
  else console.log(`pod/${name} created: ${pinned(mutated, image)}`);
}
