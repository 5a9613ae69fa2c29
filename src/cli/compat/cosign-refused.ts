/** What of cosign's command line is refused by name, and what to use instead: for help, tests and the docs. */
import type { Command, Option } from 'commander';
import { fail } from '#base/reason';
import { R } from '../reasons.ts';

/** Verbs, with the words that do the same or more. */
export const refusedVerbs: Readonly<Record<string, string>> = {
  completion: 'waybill lists its verbs with --help; a shell completes file names by itself',
  'bundle inspect': 'waybill verify-blob --json says what a bundle holds, and whether it holds',
  'bundle upgrade': 'bundles of versions 0.1 to 0.3 are read as they are; waybill writes 0.3',
  'dockerfile verify': 'write the images of its FROM lines to a file: waybill verify --from FILE',
  'manifest verify':
    'write its images to a file: waybill verify --from FILE; in a cluster: waybill serve admission',
  'upload blob': 'a registry takes files from oras push; sign them with waybill sign-blob',
  'upload wasm': 'a registry takes modules from oras push; sign them with waybill sign-blob',
  'piv-tool': 'a key in a device signs behind a key plugin: --key NAME://REFERENCE',
  'pkcs11-tool': 'a key in a device signs behind a key plugin: --key NAME://REFERENCE',
};

const insteadOf = new WeakMap<Option, string>();

/** Marks an option as refused. */
export function refuseOption(option: Option, instead: string): void {
  insteadOf.set(option.hideHelp(), instead);
}

export interface RefusedFlag {
  /** `verify`, `download sbom`. */
  readonly verb: string;
  readonly flag: string;
  readonly instead: string;
}

/** Every refused flag of the command and those below it. */
export function refusedFlags(command: Command, verb: readonly string[] = []): readonly RefusedFlag[] {
  const own = command.options.flatMap((option): RefusedFlag[] => {
    const instead = insteadOf.get(option);
    return instead === undefined ? [] : [{ verb: verb.join(' '), flag: option.long ?? '', instead }];
  });
  return [...own, ...command.commands.flatMap((below) => refusedFlags(below, [...verb, below.name()]))];
}

/** The refused verbs as commands: whatever follows them, the answer is the same. */
export function addRefusedVerbs(cosign: Command): void {
  for (const [words, hint] of Object.entries(refusedVerbs)) {
    const [first = '', second] = words.split(' ');
    const at = second === undefined ? cosign : groupOf(cosign, first);
    at.command(second ?? first, { hidden: true })
      .description(`not supported: ${hint}`)
      .argument('[words...]')
      .allowUnknownOption()
      .action(() => {
        throw fail(R.compatFlag, {
          expected: 'a verb of cosign that waybill translates',
          actual: words,
          hint,
        });
      });
  }
}

function groupOf(cosign: Command, name: string): Command {
  const there = cosign.commands.find((one) => one.name() === name);
  return there ?? cosign.command(name, { hidden: true }).description('not supported');
}
