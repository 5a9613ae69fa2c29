/**
 * The client protocol of sigstore-conformance (docs/cli_protocol.md of that suite): its words become words of the
 * native verbs, and the CLI does the rest, so that what the suite judges is what people use.
 */
import { fail, WaybillError } from '#base/reason';
import { R } from './reasons.ts';
import { renderReason } from './render/reason.ts';

const EXIT_USAGE = 3;

interface Words {
  readonly flags: ReadonlyMap<string, string>;
  readonly switches: ReadonlySet<string>;
  readonly file: string;
}

interface Grammar {
  readonly flags: readonly string[];
  readonly switches: readonly string[];
}

const grammars: Readonly<Record<string, Grammar>> = {
  'sign-bundle': {
    flags: ['--identity-token', '--bundle', '--trusted-root', '--signing-config'],
    switches: ['--staging', '--in-toto'],
  },
  'verify-bundle': {
    flags: ['--bundle', '--certificate-identity', '--certificate-oidc-issuer', '--key', '--trusted-root'],
    switches: ['--staging'],
  },
};

/** The command line of `waybill` that means the same. Throws WB-1301 for words the protocol does not have. */
export function nativeArguments(argv: readonly string[]): string[] {
  const [command = '', ...rest] = argv;
  const grammar = Object.hasOwn(grammars, command) ? grammars[command] : undefined;
  if (grammar === undefined) throw misused(Object.keys(grammars).join(' or '), command);
  const words = read(rest, grammar);
  return command === 'sign-bundle' ? signing(words) : verifying(words);
}

function read(argv: readonly string[], grammar: Grammar): Words {
  const flags = new Map<string, string>();
  const switches = new Set<string>();
  const files: string[] = [];
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (grammar.switches.includes(word)) switches.add(word);
    else if (grammar.flags.includes(word)) {
      const value = rest.shift();
      if (value === undefined || flags.has(word)) throw misused(`${word} once, with a value`, argv.join(' '));
      flags.set(word, value);
    } else if (word.startsWith('--')) throw misused([...grammar.flags, ...grammar.switches].join(', '), word);
    else files.push(word);
  }
  const [file, ...more] = files;
  if (file === undefined || more.length > 0) throw misused('one file or digest', `${files.length}`);
  return { flags, switches, file };
}

function misused(expected: string, actual: string): WaybillError {
  const hint = 'see the client protocol of sigstore-conformance';
  return fail(R.usage, { expected, actual: JSON.stringify(actual), hint });
}

function given({ flags }: Words, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = flags.get(name);
    return value === undefined ? [] : [name, value];
  });
}

/** Staging is a trust profile (`waybill trust pin`): its root comes by TUF like any other. */
const staging = ({ switches }: Words): string[] => (switches.has('--staging') ? ['--trust', 'staging'] : []);

function signing(words: Words): string[] {
  const options = [
    ...staging(words),
    ...given(words, ['--identity-token', '--bundle', '--trusted-root', '--signing-config']),
  ];
  return words.switches.has('--in-toto')
    ? ['attest-blob', ...options, '--statement', words.file]
    : ['sign-blob', ...options, words.file];
}

function verifying(words: Words): string[] {
  const names = [
    '--bundle',
    '--certificate-identity',
    '--certificate-oidc-issuer',
    '--key',
    '--trusted-root',
  ];
  return ['verify-blob', ...staging(words), ...given(words, names), '--accept-any-predicate', words.file];
}

async function run(): Promise<void> {
  try {
    const native = nativeArguments(process.argv.slice(2));
    process.argv.splice(2, process.argv.length, ...native);
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    process.stderr.write(`${renderReason(error.reason, false)}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  await import('./main.ts');
}

await run();
