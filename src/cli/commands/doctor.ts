/** `waybill doctor workflow|stack|network`: is what the chain depends on fit for it? */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { registerStackDoctors } from '../doctor-stack.ts';
import { collect } from '../sign-options.ts';

interface WorkflowFlags {
  readonly builder: readonly string[];
  readonly fixDiff?: boolean;
  readonly rules?: boolean;
}

const EXIT_FINDINGS = 2;

export function register(program: Command, context: CliContext): void {
  const doctor = program.command('doctor').description('Examines what the chain depends on.');
  doctor
    .command('workflow')
    .description(
      'Examines workflows of GitHub Actions: are they fit for SLSA Build level 3? Exit 0 when they are, 2 when ' +
        'they are not, 3 when a file cannot be read as a workflow.',
    )
    .argument('[path...]', 'workflow files, folders of them, or repositories with .github/workflows')
    .option(
      '--builder <owner/name/path>',
      'reusable workflow trusted to make provenance, beside the SLSA generator (repeatable)',
      collect,
      [],
    )
    .option(
      '--fix-diff',
      'print only the unified diff of the mechanical fixes; the rest goes to standard error',
    )
    .option('--rules', 'list the rules instead')
    .action((paths: string[], flags: WorkflowFlags) => workflow(paths, flags, context));
  registerStackDoctors(doctor, context);
}

async function workflow(paths: readonly string[], flags: WorkflowFlags, context: CliContext): Promise<void> {
  if (flags.rules === true) return listRules(context);
  if (paths.length === 0) {
    const [{ fail }, { R }] = await Promise.all([import('#base/reason'), import('../reasons.ts')]);
    throw fail(R.usage, { expected: 'at least one path', actual: 'none', hint: 'try .github/workflows' });
  }
  const [{ doctorWorkflow }, { diagnosisJson, renderDiagnosis }] = await Promise.all([
    import('#flows/doctor-workflow'),
    import('../render/doctor.ts'),
  ]);
  const diagnosis = await doctorWorkflow(paths, { builders: flags.builder });
  const value = { files: diagnosis.files, ...diagnosisJson(diagnosis) };
  if (flags.fixDiff === true && !context.json) {
    context.stderr(renderDiagnosis({ ...diagnosis, diff: '' }));
    if (diagnosis.diff !== '') context.stdout(diagnosis.diff);
  } else context.result('waybill.dev/doctor-workflow/v1', value, () => renderDiagnosis(diagnosis));
  if (diagnosis.verdict.level !== 'L3-ready') context.exit(EXIT_FINDINGS);
}

async function listRules(context: CliContext): Promise<void> {
  const { workflowRules } = await import('#doctor');
  const rules = workflowRules.map(({ code, effect, title, fix }) => ({ code, effect, title, fix }));
  const text = (): string =>
    rules.map(({ code, effect, title }) => `${code}  ${effect.padEnd(6)}  ${title}`).join('\n');
  context.result('waybill.dev/doctor-workflow-rules/v1', { rules }, text);
}
