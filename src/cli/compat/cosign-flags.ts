/**
 * cosign's flags as data: what each command takes, what is accepted without effect, and what is refused by name.
 * Every flag may also come from the environment, as COSIGN_<FLAG>.
 */
import { type Command, Option } from 'commander';
import { fail } from '#base/reason';
import type { ListOptions } from '#oci';
import { believeAuthorities } from '../authorities.ts';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import type { RegistryFlags } from '../registry-options.ts';
import { collect } from './cosign-common.ts';
import { refuseOption } from './cosign-refused.ts';

export interface FlagSpec {
  readonly flags: string;
  readonly help: string;
  /** A flag that may be given several times. */
  readonly isList?: true;
  /** On unless `--flag=false`. */
  readonly isOn?: true;
  /** Refused: what to do instead. */
  readonly instead?: string;
}

const flag = (flags: string, help: string, more: Partial<FlagSpec> = {}): FlagSpec => ({
  flags,
  help,
  ...more,
});
const refused = (flags: string, instead: string): FlagSpec => ({
  flags,
  help: `not supported: ${instead}`,
  instead,
});
/** Taken, and nothing depends on it here. */
const idle = (flags: string): FlagSpec => flag(flags, 'accepted, has no effect');

export const globalFlags: readonly FlagSpec[] = [
  idle('-t, --timeout <duration>'),
  idle('-d, --verbose'),
  flag('--output-file <file>', 'write there what would go to standard output'),
];

export const registryFlags: readonly FlagSpec[] = [
  flag('--allow-http-registry', 'plain http where a registry does not answer https'),
  flag('--allow-insecure-registry', 'take any certificate of the registry, and plain http'),
  flag('--registry-username <name>', 'user name for the registry'),
  flag('--registry-password <password>', 'password'),
  flag('--registry-token <token>', 'bearer token'),
  flag('--k8s-keychain', 'ask the credential helper of the cloud that a registry belongs to'),
  flag('--registry-cacert <file>', 'PEM authorities of the registry, the same as --ca-file'),
  flag('--registry-client-cert <file>', 'PEM certificate shown to the registry'),
  flag('--registry-client-key <file>', 'its private key'),
  flag('--registry-server-name <name>', 'name in the certificate of the registry'),
  idle('--registry-referrers-mode <mode>'),
];
const prefix = '--attachment-tag-prefix <prefix>';
/** Of what reads or writes one kind of tag. */
export const prefixedRegistryFlags: readonly FlagSpec[] = [
  ...registryFlags,
  flag(prefix, 'stands before the tags of the older layout'),
];
/** Of what walks all tags: signatures under other names would be left behind. */
export const wholeRegistryFlags: readonly FlagSpec[] = [
  ...registryFlags,
  refused(prefix, 'name them to crane copy, or attach them to the usual tags: waybill cosign attach'),
];

/** The prefix of tags, in the form `#oci` takes it. */
export const tagPrefixOf = ({
  attachmentTagPrefix: tagPrefix,
}: RegistryFlags): { readonly tagPrefix?: string } => (tagPrefix ? { tagPrefix } : {});

const units: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 1024,
  mi: 1024 ** 2,
  gi: 1024 ** 3,
};

/** How attachments are listed: under which tags, and how large a one is read (COSIGN_MAX_ATTACHMENT_SIZE). */
export function listOptions(flags: RegistryFlags, { env }: CliContext): ListOptions {
  const text = env['COSIGN_MAX_ATTACHMENT_SIZE'];
  if (!text) return tagPrefixOf(flags);
  const [, digits = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*$/i.exec(text) ?? [];
  const bytesMax = Math.floor(Number(digits) * (units[unit.toLowerCase()] ?? Number.NaN));
  if (digits === '' || !Number.isSafeInteger(bytesMax)) {
    const expected = 'COSIGN_MAX_ATTACHMENT_SIZE as a size, such as 128MiB';
    throw fail(R.optionValue, { expected, actual: text });
  }
  return { ...tagPrefixOf(flags), bytesMax };
}

/** Who is expected, and what may be left out. */
export const certificateFlags: readonly FlagSpec[] = [
  flag('--key <file>', 'public key'),
  flag('--certificate-identity <name>', 'exact name in the certificate'),
  flag('--certificate-identity-regexp <re2>', 'pattern found anywhere in the name, as cosign does it'),
  flag('--certificate-oidc-issuer <url>', 'exact issuer'),
  flag('--certificate-oidc-issuer-regexp <re2>', 'pattern found anywhere in the issuer'),
  flag('--certificate-github-workflow-trigger <event>', 'event'),
  flag('--certificate-github-workflow-sha <commit>', 'commit'),
  flag('--certificate-github-workflow-name <name>', 'name of the workflow'),
  flag('--certificate-github-workflow-repository <owner/name>', 'repository'),
  flag('--certificate-github-workflow-ref <ref>', 'ref'),
  flag('--trusted-root <file>', 'trusted_root.json'),
  flag('--use-signed-timestamps', 'believe timestamp authorities only'),
  flag('--insecure-ignore-tlog', 'do not require a log entry'),
  flag('--insecure-ignore-sct', 'do not require a certificate timestamp'),
  flag('--private-infrastructure', 'the same as --insecure-ignore-tlog, as in cosign'),
  idle('--max-workers <n>'),
  idle('--offline'),
  idle('--rekor-url <url>'),
  idle('--new-bundle-format'),
  idle('--experimental-oci11'),
  refused('--sk', 'export the public key and give it with --key'),
  refused('--slot <slot>', 'export the public key and give it with --key'),
  flag('--certificate <file>', 'certificate of a signature that carries none'),
  flag('--certificate-chain <file>', 'its issuers, the one that is trusted last'),
  flag('--ca-roots <file>', 'certificate authorities that are trusted'),
  flag('--ca-intermediates <file>', 'certificates between them and the signer'),
  flag('--timestamp-certificate-chain <file>', 'a timestamp authority and its issuers'),
  flag('--sct <file>', 'stamp of a CT log that is not in the certificate'),
  flag('--signature-digest-algorithm <name>', 'sha256 (default), with a P-384 key sha384, with P-521 sha512'),
  refused(
    '--allow-certificate-chain',
    'a bundle 0.3 holds one certificate; the chain is in the trusted root',
  ),
];

export const imageFlags: readonly FlagSpec[] = [
  ...certificateFlags,
  ...prefixedRegistryFlags,
  flag('--check-claims', 'whether the content must be about the image', { isOn: true }),
  flag('--local-image', 'the image is a folder made by cosign save'),
  flag('-o, --output <format>', 'json or text'),
];

/** Declares the flags, cosign's global ones included. */
export function addFlags(command: Command, specs: readonly FlagSpec[]): Command {
  for (const { flags, help, isList, isOn, instead } of [...specs, ...globalFlags]) {
    const option = new Option(flags, help);
    if (isList === true) option.argParser(collect).default([]);
    if (instead !== undefined) refuseOption(option, instead);
    command.addOption(option);
    if (isOn === true)
      command.addOption(new Option(flags.replace('--', '--no-'), `${flags}=false`).hideHelp());
  }
  return command;
}

/**
 * The flags as given, those from the environment included. Throws WB-1311 for one that this mode does not
 * translate: leaving it out would answer another question.
 */
export function readFlags<F>(command: Command, specs: readonly FlagSpec[], context: CliContext): F {
  const byName = new Map(
    [...specs, ...globalFlags].map((spec) => [new Option(spec.flags).attributeName(), spec]),
  );
  for (const option of command.options) {
    const name = option.attributeName();
    if (option.negate) continue;
    if (command.getOptionValueSource(name) !== 'cli') fromEnvironment(command, option, context);
    const { instead, flags } = byName.get(name) ?? {};
    const source = command.getOptionValueSource(name);
    if (instead === undefined || (source !== 'cli' && source !== 'env')) continue;
    if (command.getOptionValue(name) === false) continue;
    const expected = `cosign ${command.name()} without ${option.long ?? flags}`;
    throw fail(R.compatFlag, { expected, actual: option.long ?? '', hint: instead });
  }
  const { registryCacert } = command.opts<{ registryCacert?: string }>();
  if (registryCacert !== undefined) believeAuthorities({ caFile: registryCacert }, context);
  return command.opts<Record<string, unknown>>() as F;
}

function fromEnvironment(command: Command, option: Option, { env }: CliContext): void {
  const value = env[`COSIGN_${(option.long ?? '').replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`];
  if (value === undefined || value === '') return;
  const name = option.attributeName();
  if (option.isBoolean()) command.setOptionValueWithSource(name, /^(1|t|true)$/i.test(value), 'env');
  else if (Array.isArray(command.getOptionValue(name))) {
    command.setOptionValueWithSource(name, value.split(','), 'env');
  } else command.setOptionValueWithSource(name, value, 'env');
}
