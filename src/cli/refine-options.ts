/** The options that say which findings are looked at: one definition for `scan` and for `explain`, which must agree. */
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { CpeMatching, RefineOptions } from '#scan';
import { R } from './reasons.ts';
import { collect } from './sign-options.ts';

export interface RefineFlags {
  readonly vex: readonly string[];
  readonly ignoreFile: readonly string[];
  readonly baseline?: string;
  readonly onlyFixed?: boolean;
  readonly onlyNotfixed?: boolean;
  readonly ignoreStates?: string;
  readonly severity?: string;
  readonly pkgTypes?: string;
  readonly matchCpe: CpeMatching;
}

export function withRefineOptions(command: Command): Command {
  return command
    .option('--vex <file>', 'OpenVEX, CSAF or CycloneDX statements (repeatable)', collect, [])
    .option('--ignore-file <file>', 'ignore rules: own, .trivyignore, .grype.yaml (repeatable)', collect, [])
    .option('--baseline <file>', 'take off what this earlier scan (-o json) knew')
    .option('--only-fixed', 'only findings with a fix')
    .option('--only-notfixed', 'only findings without a fix')
    .option('--ignore-states <list>', 'take off findings in these states: fixed,not-fixed,wont-fix,unknown')
    .option('--severity <list>', 'only findings of these severities, as high,critical')
    .option('--pkg-types <list>', 'only findings in packages of os or library')
    .addOption(
      new Option(
        '--match-cpe <which>',
        'packages that are looked up as products too, where records name products',
      )
        .choices(['uncovered', 'always', 'never'])
        .default('uncovered'),
    );
}

/** Words between commas. Throws WB-1305 for a list without any: a gate that asks for nothing would always pass. */
export function listOf(option: string, text: string | undefined): readonly string[] | undefined {
  const words = text?.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));
  if (words?.length !== 0) return words;
  throw fail(R.optionValue, { expected: `${option} with a word or more`, actual: JSON.stringify(text) });
}

const allStates = ['fixed', 'not-fixed', 'wont-fix', 'unknown'] as const;

/** What was decided about findings; reads the files it names. */
export async function refineFrom(flags: RefineFlags, nowMs: number): Promise<RefineOptions> {
  const { vex, ignoreFile, baseline } = flags;
  const isAsked = vex.length > 0 || ignoreFile.length > 0 || baseline !== undefined;
  const files = isAsked
    ? await (await import('#flows/scan-rules')).readRuleFiles({
        vex,
        ignore: ignoreFile,
        ...(baseline === undefined ? {} : { baseline }),
      })
    : {};
  const severities = await severitiesFrom(listOf('--severity', flags.severity));
  const kind = kindFrom(listOf('--pkg-types', flags.pkgTypes));
  const states = statesFrom(flags, listOf('--ignore-states', flags.ignoreStates) ?? []);
  return {
    nowMs,
    ...files,
    ...(states === undefined ? {} : { states }),
    ...(severities === undefined ? {} : { severities }),
    ...(kind === undefined ? {} : { kind }),
  };
}

async function severitiesFrom(words: readonly string[] | undefined): Promise<RefineOptions['severities']> {
  if (words === undefined) return undefined;
  const { parseSeverity } = await import('#scan');
  return words.map((word) => {
    const found = parseSeverity(word);
    if (found !== undefined) return found;
    throw fail(R.optionValue, {
      expected: '--severity of unknown, low, medium, high, critical',
      actual: word,
    });
  });
}

function kindFrom(words: readonly string[] | undefined): RefineOptions['kind'] {
  const kinds = new Set(words);
  for (const kind of kinds) {
    if (kind !== 'os' && kind !== 'library') {
      throw fail(R.optionValue, { expected: '--pkg-types of os, library', actual: kind });
    }
  }
  const [only] = kinds;
  return kinds.size === 1 ? (only as 'os' | 'library') : undefined;
}

function statesFrom(flags: RefineFlags, ignored: readonly string[]): RefineOptions['states'] {
  const unknown = ignored.find((one) => !(allStates as readonly string[]).includes(one));
  if (unknown !== undefined || (flags.onlyFixed === true && flags.onlyNotfixed === true)) {
    const expected =
      '--only-fixed, --only-notfixed or --ignore-states of fixed, not-fixed, wont-fix, unknown';
    throw fail(R.optionValue, { expected, actual: unknown ?? 'both' });
  }
  const isKept = (state: string): boolean => {
    if (flags.onlyFixed === true && state !== 'fixed') return false;
    return !(flags.onlyNotfixed === true && state === 'fixed') && !ignored.includes(state);
  };
  const kept = allStates.filter(isKept);
  return kept.length === allStates.length ? undefined : kept;
}
