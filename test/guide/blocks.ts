/** Runs one shell block and says what must be seen; asks the linter about a block before and after correction. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, waybill } from '../../demo/tools.ts';
import type { Corrected } from './corrections.ts';
import type { Block } from './lines.ts';
import { shell, type World } from './world.ts';

export interface Step {
  readonly detail: string;
  readonly value: undefined;
}

interface Expectation {
  readonly block: RegExp;
  readonly sees: RegExp;
  readonly exit?: number;
}

const identity =
  /URI:https:\/\/github\.com\/acme\/api\/\.github\/workflows\/release\.yml@refs\/tags\/v1\.4\.2/;

/** The first that fits a block says what its output must hold. */
const expectations: readonly Expectation[] = [
  { block: /^docker build/, sees: /^built ghcr\.io\/acme\/api@sha256:[0-9a-f]{64}$/m },
  { block: /^DIGEST=/, sees: /(?:)/ },
  { block: /^syft /, sees: /^[1-9][0-9]* packages in sha256:[0-9a-f]{64}$/m },
  { block: /^grype /, sees: /^No vulnerabilities found$/m },
  { block: /^trivy image --severity/, sees: /^Total: 0 \(HIGH: 0, CRITICAL: 0\)$/m },
  { block: /^cosign sign /, sees: /^Pushing signature to: .+@sha256:.+$/m },
  { block: /^cosign verify /, sees: /^\[\{"critical":.*"docker-manifest-digest":"sha256:/m },
  { block: /cosign attest /, sees: /^Pushing attestation to: .+@sha256:.+$/m },
  { block: /^cosign verify-attestation /, sees: /"payloadType":"application\/vnd\.in-toto\+json"/ },
  { block: /rekor-cli get /, sees: identity },
  { block: /^rekor-cli search /, sees: /^[0-9a-f]{80}$/m },
  { block: /^kubectl run rogue /, sees: /denied the request: .*(?:\n.*)*?ghcr\.io\/acme\/unsigned/, exit: 1 },
  { block: /^slsa-verifier /, sees: /^PASSED: SLSA verification passed$/m },
];

export async function runShell(text: string, world: World): Promise<Step> {
  const expected = expectations.find(({ block }) => block.test(text));
  must(expected !== undefined, `nothing says what this block must show: ${text}`);
  if (text.startsWith('kubectl')) await pushUnsigned(world);
  const { code, output } = await shell(text, world);
  must(code === (expected.exit ?? 0), `exit ${code}\n${output}`);
  const seen = expected.sees.exec(output);
  must(seen !== null, `${expected.sees.source} is not in\n${output}`);
  if (text.startsWith('DIGEST=')) return { detail: variables(world), value: undefined };
  const line =
    output
      .slice(0, seen.index + seen[0].length)
      .split('\n')
      .at(-1) ?? '';
  return { detail: line.length > 160 ? `${line.slice(0, 159)}…` : line, value: undefined };
}

/** What later blocks stand on: the image by digest, under the guide's name. */
function variables(world: World): string {
  const set = readFileSync(join(world.work, 'variables'), 'utf8');
  const image = /IMAGE="(ghcr\.io\/acme\/api@sha256:[0-9a-f]{64})"/.exec(set)?.[1];
  must(image !== undefined, `IMAGE is not a digest reference: ${set}`);
  return image;
}

/** The image that nobody signed: the same content without anything attached. */
async function pushUnsigned(world: World): Promise<void> {
  const { code, output } = await shell(
    '"$WAYBILL" copy --quiet --without-attachments "$IMAGE" ghcr.io/acme/unsigned:latest',
    world,
  );
  must(code === 0, output);
}

interface LintResult {
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

/** About logs other than ours: the index of a waybill stack also finds plain signatures by the image's digest. */
const ELSEWHERE = 'LNT034';

export async function lintStep(block: Block, corrected: Corrected, world: World): Promise<Step> {
  const before = await lint(block.text, block, world);
  const after = await lint(corrected.text, block, world);
  for (const { rule, guide } of corrected.applied) {
    must(rule === undefined || before.includes(rule), `${rule} does not find ${guide}: ${before.join(' ')}`);
  }
  must(after.length === 0, `the corrected block still has ${after.join(' ')}`);
  return {
    detail: `finds ${[...new Set(before)].join(' ')} in the guide's words, nothing in ours`,
    value: undefined,
  };
}

async function lint(text: string, { kind }: Block, world: World): Promise<string[]> {
  const file = join(world.work, `block.${kind === 'yaml' ? 'yaml' : 'sh'}`);
  writeFileSync(file, `${text}\n`);
  const { stdout } = await waybill(['policy', 'lint', file, '--json', '--quiet'], { cwd: world.work });
  const { findings } = JSON.parse(stdout) as LintResult;
  return findings.map(({ code }) => code).filter((code) => code !== ELSEWHERE);
}
