/** The cases of sigstore-conformance put to `bin/waybill-conformance`, as the suite itself does. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { digestOf } from '#base/digest';
import { type RunResult, run } from '#platform/process';
import { compiledCode } from '../compiled.ts';
import type { Case } from './sigstore-cases.ts';

const client = resolve('bin/waybill-conformance');

/** Runs the client with nothing of the developer's machine around it. */
export function conformanceClient(args: readonly string[], home: string): Promise<RunResult> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, ...compiledCode };
  return run(client, args, { env, timeoutMs: 300_000 });
}

/** The words of `verify-bundle` for a case; the public instance's root is given as a file, not fetched. */
export function verifyWords(folder: string, item: Case, by: 'path' | 'digest'): string[] {
  const file = (name: string): string => join(folder, name);
  const signer =
    item.key === null
      ? ['--certificate-identity', item.identity ?? '', '--certificate-oidc-issuer', item.issuer ?? '']
      : ['--key', file(item.key)];
  return [
    'verify-bundle',
    '--bundle',
    file(join('bundle-verify', item.name, 'bundle.sigstore.json')),
    ...signer,
    '--trusted-root',
    file(item.trustedRoot),
    by === 'path' ? file(item.artifact) : digestOf(readFileSync(file(item.artifact))),
  ];
}

/** What the exit code says. A defect and a command line that was not understood are no verdicts. */
export function judged({
  code,
  stderr,
}: Pick<RunResult, 'code' | 'stderr'>): 'accept' | 'reject' | 'no verdict' {
  if (code === 0) return 'accept';
  return code === 1 || code === null || stderr.includes('WB-1301') ? 'no verdict' : 'reject';
}
