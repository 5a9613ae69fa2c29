/** `waybill explain ID [TARGET]`: what an advisory says, and every comparison made for it; what an error code means. */
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import type { AdvisoryDatabase, Comparison, ExplainedAdvisory, Explanation } from '#scan';
import {
  type CatalogueFlags,
  catalogueOptionsFrom,
  refuseGiven,
  refuseIdle,
  withCatalogueOptions,
} from '../catalogue-options.ts';
import type { CliContext } from '../context.ts';
import { type RefineFlags, refineFrom, withRefineOptions } from '../refine-options.ts';
import { type RegistryFlags, registryFrom, withRegistryOptions } from '../registry-options.ts';
import { plainLines } from '../render/plain.ts';
import { tellNotes } from '../scan-notes.ts';

interface Flags extends RegistryFlags, CatalogueFlags, RefineFlags {
  readonly db?: string;
}

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('explain')
    .description('say what an advisory or an error code is, and why it is found or not')
    .argument('<id>', 'CVE-…, GHSA-…, any id of the database, or WB-…')
    .argument(
      '[target]',
      'an image (also docker:NAME, podman:NAME, containerd:NAME), dir:PATH or sbom:FILE to look for it in',
    )
    .option('--db <file>', 'advisory database (default: WAYBILL_DB, the one of db update, else the sample)');
  withRegistryOptions(withRefineOptions(withCatalogueOptions(command)));
  const ofTargets = command.options.flatMap(({ long }) => (long === '--db' ? [] : (long ?? [])));
  command.action((id: string, target: string | undefined, flags: Flags) => {
    if (target === undefined) {
      refuseGiven(command, ofTargets, 'an id alone');
    } else refuseIdle(command, target);
    return /^WB-\d+$/.test(id) ? explainCode(id, context) : explain(id, target, flags, context);
  });
}

/** The catalogue is the page that is generated from every room's table of reasons. */
async function explainCode(code: string, context: CliContext): Promise<void> {
  const [{ readFileLimited }, { scanReasons: R }] = await Promise.all([
    import('#platform/files'),
    import('#scan'),
  ]);
  const page = fileURLToPath(new URL('../../../docs/errors.md', import.meta.url));
  const lines = utf8Text(await readFileLimited(page, 1024 * 1024)).split('\n');
  const cellsOf = (line: string | undefined): readonly string[] =>
    line?.split('|').map((cell) => cell.trim().replaceAll('`', '')) ?? [];
  const names = cellsOf(lines.find((line) => line.startsWith('| code |')));
  const cells = cellsOf(lines.find((line) => cellsOf(line)[1] === code));
  if (cells.length === 0) throw fail(R.explain, { expected: 'a code of docs/errors.md', actual: code });
  const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
  const [check, side, exit] = [cell('check'), cell('side'), cell('exit')];
  const [meaning, hint] = [cell('meaning'), cell('what to do')];
  const value = { code, check, side, exit, meaning, hint };
  context.result('waybill.dev/explain/v1', value, () =>
    [`${code} ${check}: ${meaning}`, `  who has to act: ${side}; exit code ${exit}`, `  do: ${hint}`].join(
      '\n',
    ),
  );
}

async function explain(
  id: string,
  target: string | undefined,
  flags: Flags,
  context: CliContext,
): Promise<void> {
  const [{ openAdvisories }, { scanReasons: R }] = await Promise.all([
    import('#flows/scan-image'),
    import('#scan'),
  ]);
  const database = await openAdvisories(flags.db, context.env);
  try {
    const found = database.explain(id);
    if (found.length === 0) {
      throw fail(R.explain, { expected: `an advisory ${id}`, actual: `none among ${database.info.records}` });
    }
    const made = target === undefined ? undefined : await explained(id, target, flags, database, context);
    await show(id, found, made, database, context);
  } finally {
    database.close();
  }
}

/** As `scan` judges the target with the same options. */
async function explained(
  id: string,
  target: string,
  flags: Flags,
  database: AdvisoryDatabase,
  context: CliContext,
): Promise<readonly Explanation[]> {
  const [{ scanTarget }, { explainScan }] = await Promise.all([import('#flows/scan-image'), import('#scan')]);
  const cpe = flags.matchCpe;
  const scanned = await scanTarget(() => registryFrom(flags, context, [target]), target, database, {
    ...(await catalogueOptionsFrom(flags, target, context)),
    refine: await refineFrom(flags, context.clock.now()),
    cpe,
  });
  tellNotes(scanned.result, context);
  return explainScan(scanned, database, id, cpe);
}

const ENTRIES_SHOWN = 20;

async function show(
  id: string,
  found: readonly ExplainedAdvisory[],
  made: readonly Explanation[] | undefined,
  database: AdvisoryDatabase,
  context: CliContext,
): Promise<void> {
  const { rangesText } = await import('#scan');
  const value = {
    id,
    database: database.info.digest,
    advisories: found,
    ...(made === undefined
      ? {}
      : { verdicts: made.map(verdictJson), comparisons: made.flatMap((one) => one.comparisons) }),
  };
  const texts = found.flatMap(({ advisory, affected }) => [
    `${advisory.id}: ${advisory.summary === '' ? '(no summary)' : advisory.summary}`,
    ...line(
      'also',
      [...advisory.aliases, ...advisory.related.map((other) => `${other} (related)`)].join(', '),
    ),
    ...line('published', advisory.published),
    ...line('weaknesses', advisory.cwes.join(', ')),
    ...line(
      'exploited',
      advisory.knownExploited === undefined ? '' : `known since ${advisory.knownExploited.dateAdded}`,
    ),
    ...line('EPSS', advisory.epss === undefined ? '' : `${(100 * advisory.epss.probability).toFixed(2)} %`),
    ...affected.slice(0, ENTRIES_SHOWN).map((one) => {
      const { severity, vector } = one.rating;
      return `  ${one.ecosystem} ${one.name}: ${rangesText(one)} (${severity}${vector === undefined ? '' : `, ${vector}`})`;
    }),
    ...(affected.length > ENTRIES_SHOWN ? [`  and ${affected.length - ENTRIES_SHOWN} more`] : []),
    ...advisory.references.slice(0, 3).map((url) => `  see ${url}`),
  ]);
  context.result('waybill.dev/explain/v1', value, () => plainLines([...texts, ...verdictLines(made)]));
}

const line = (name: string, text: string | undefined): string[] =>
  text === undefined || text === '' ? [] : [`  ${name}: ${text}`];

const verdictJson = ({ package: one, verdict, findings, suppressed }: Explanation): object => ({
  package: { name: one.name, version: one.version, type: one.type, purl: one.purl ?? null },
  verdict,
  findings: findings.map((finding) => finding.id),
  suppressed: suppressed.map(({ finding, by, reason, file }) => ({ id: finding.id, by, reason, file })),
});

const verdictWords = {
  affected: 'AFFECTED',
  suppressed: 'TAKEN OFF',
  undetermined: 'CANNOT BE COMPARED',
  'not-affected': 'not affected',
} as const;

function verdictLines(made: readonly Explanation[] | undefined): string[] {
  if (made === undefined) return [];
  if (made.length === 0) return ['', 'no package in it is one of these'];
  return made.flatMap(({ package: one, verdict, suppressed, comparisons }) => [
    '',
    `${verdictWords[verdict]}: ${one.name} ${one.version}`,
    ...suppressed.map(({ finding, by, reason, file }) => {
      const where = file === undefined ? '' : ` (${file})`;
      return `  ${finding.id} taken off by ${by}${where}: ${reason}`;
    }),
    ...comparisons.map(comparisonLine),
  ]);
}

function comparisonLine({
  besides,
  affected,
  advisory,
  ecosystem,
  name,
  version,
  ranges,
}: Comparison): string {
  const word = { yes: 'in', no: 'not in', undetermined: 'cannot be compared with' }[affected];
  const why = besides === undefined ? '' : ` (${besides})`;
  return `  ${advisory}: ${ecosystem} ${name} ${version} is ${word} ${ranges}${why}`;
}
