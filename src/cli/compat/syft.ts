/** `waybill syft SOURCE -o FORMAT[=FILE]`: syft's words for `waybill sbom`. Exit 0 or 1. */
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { nativeSource, tellFailure } from './images.ts';
import { givenFlags, refuseBy, runNative, unsupported } from './native.ts';

/** syft's format names, without a version, and ours. */
const formats: Readonly<Record<string, string>> = {
  'cyclonedx-json': 'cyclonedx-json',
  'cyclonedx-json@1.5': 'cyclonedx-json@1.5',
  'cyclonedx-json@1.6': 'cyclonedx-json@1.6',
  'cyclonedx-json@1.7': 'cyclonedx-json@1.7',
  'spdx-json': 'spdx-json',
  'spdx-json@2.3': 'spdx-json',
  'syft-json': 'syft-json',
  json: 'syft-json',
  purls: 'purls',
  table: 'table',
  'syft-table': 'table',
};

export function register(program: Command, context: CliContext): void {
  const command = program
    .command('syft')
    .description('syft’s command line for waybill sbom')
    .argument(
      '<source...>',
      '[scan] image, registry:IMAGE, docker:IMAGE, podman:IMAGE, oci-dir:DIR, oci-archive:FILE, docker-archive:FILE, dir:PATH',
    )
    .option('-o, --output <format[=file]>', Object.keys(formats).join(', '), collect, [])
    .option('--platform <os/arch>', 'image of this platform')
    .option('-s, --scope <scope>', 'squashed or all-layers')
    .option('--exclude <pattern>', 'leave paths out', collect, [])
    .option('--source-name <name>', 'name in the document')
    .option('-q, --quiet', 'print no progress');
  refuseBy(command, 'syft').action(async (words: string[]) => {
    const [source, ...more] = ['scan', 'packages'].includes(words[0] ?? '') ? words.slice(1) : words;
    if (source === undefined || more.length > 0) throw unsupported('syft', words.join(' '), 'one source');
    const flags = givenFlags(command, {
      '--output': (text) => [`--output=${nativeFormat(text)}`],
      '--source-name': (name) => [`--name=${name}`],
      '--quiet': () => [],
    });
    const outputs = command.opts<{ readonly output: readonly string[] }>().output;
    const table = outputs.length === 0 ? ['--output=table'] : [];
    const argv = ['sbom', ...flags, ...table, '--', nativeSource('syft', source)];
    const run = await runNative(() => import('../commands/sbom.ts'), argv, context, { json: false });
    for (const text of run.printed) context.stdout(text);
    for (const text of run.messages) context.stderr(text);
    if (run.exit !== 0) tellFailure(run, 1, context);
  });
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

function nativeFormat(text: string): string {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  const ours = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (ours === undefined) throw unsupported('syft', `-o ${name}`, `-o ${Object.keys(formats).join(', ')}`);
  return at < 0 ? ours : `${ours}${text.slice(at)}`;
}
