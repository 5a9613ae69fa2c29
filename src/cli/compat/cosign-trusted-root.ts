/** `waybill cosign trusted-root create`: a trusted root from keys and certificates in files. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import type { CaAuthority, LogInput, Validity } from '#formats/trusted-root';
import type { CliContext } from '../context.ts';
import { authorityOf, certificatesIn } from '../issuer-chains.ts';
import { R } from '../reasons.ts';
import { logOf } from './cosign-authorities.ts';
import { asCosign, wholeSeconds } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { nothing, type Parts } from './cosign-trust.ts';
import { refuseBy } from './native.ts';

const kinds = ['fulcio', 'ctfe', 'rekor', 'tsa'] as const;
const flags: readonly FlagSpec[] = [
  { flags: '--fulcio <spec>', help: 'url=,certificate-chain=[,start-time=][,end-time=]', isList: true },
  { flags: '--ctfe <spec>', help: 'url=,public-key=,start-time=[,end-time=][,origin=]', isList: true },
  { flags: '--rekor <spec>', help: 'url=,public-key=,start-time=[,end-time=][,origin=]', isList: true },
  { flags: '--tsa <spec>', help: 'url=,certificate-chain=[,start-time=][,end-time=]', isList: true },
  { flags: '--out <file>', help: 'file to write' },
  {
    flags: '--with-default-services',
    help: 'and those of the trusted root there is (initialize, TUF_MIRROR)',
  },
];

interface Flags {
  readonly fulcio: readonly string[];
  readonly ctfe: readonly string[];
  readonly rekor: readonly string[];
  readonly tsa: readonly string[];
  readonly out?: string;
  readonly withDefaultServices?: boolean;
}

export function addTrustedRoot(cosign: Command, context: CliContext): void {
  const group = cosign.command('trusted-root').description('trusted roots');
  refuseBy(group, 'cosign trusted-root');
  const create = addFlags(group.command('create').description('a trusted root from files'), flags);
  // A name that begins with no- is a negation to the parser, of a flag that is not there.
  for (const kind of kinds) create.option(`--no-default-${kind}`, `not the default ${kind}`);
  refuseBy(create, 'cosign trusted-root create').action(() =>
    asCosign(context, {}, async () => {
      const { out, withDefaultServices, ...specs } = readFlags<Flags>(create, flags, context);
      const usual = withDefaultServices === true ? await defaultsFor(create, context) : nothing;
      const { trustedRootValue } = await import('#formats/trusted-root');
      const [certificateAuthorities, ctlogs, tlogs, timestampAuthorities] = await Promise.all([
        Promise.all(specs.fulcio.map((spec) => authority(spec, 'fulcio', context))),
        Promise.all(specs.ctfe.map((spec) => log(spec, 'ctfe', context))),
        Promise.all(specs.rekor.map((spec) => log(spec, 'rekor', context))),
        Promise.all(specs.tsa.map((spec) => authority(spec, 'tsa', context))),
      ]);
      const root = {
        certificateAuthorities: [...usual.certificateAuthorities, ...certificateAuthorities],
        ctlogs: [...usual.ctlogs, ...ctlogs],
        tlogs: [...usual.tlogs, ...tlogs],
        timestampAuthorities: [...usual.timestampAuthorities, ...timestampAuthorities],
      };
      const entries = Object.entries(trustedRootValue(root)).filter(
        ([, value]) => !Array.isArray(value) || value.length > 0,
      );
      const text = wholeSeconds(JSON.stringify(Object.fromEntries(entries)));
      if (out === undefined) return context.stdout(text);
      const { writeFileDurable } = await import('#platform/files');
      await writeFileDurable(out, `${text}\n`);
    }),
  );
}

/** The services of the trusted root that would be used, without those that `--no-default-…` leaves out. */
async function defaultsFor(create: Command, context: CliContext): Promise<Parts> {
  const { usualTrust } = await import('./cosign-trust.ts');
  const { trustedRoot } = await usualTrust(context);
  const kept = <T>(kind: string, list: readonly T[]): readonly T[] =>
    create.getOptionValue(`default${kind}`) === false ? [] : list;
  return {
    certificateAuthorities: kept('Fulcio', trustedRoot.certificateAuthorities),
    ctlogs: kept('Ctfe', trustedRoot.ctlogs),
    tlogs: kept('Rekor', trustedRoot.tlogs),
    timestampAuthorities: kept('Tsa', trustedRoot.timestampAuthorities),
  };
}

type Spec = ReadonlyMap<string, string>;

function specOf(text: string, service: string, required: readonly string[]): Spec {
  const pairs = text.split(',').map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return [pair.slice(0, at < 0 ? pair.length : at).trim(), at < 0 ? '' : pair.slice(at + 1).trim()];
  });
  const spec = new Map(pairs);
  const missing = required.find((key) => (spec.get(key) ?? '') === '');
  if (missing === undefined) return spec;
  throw fail(R.optionValue, { expected: `--${service} with ${missing}=…`, actual: text });
}

/** Absent times are those of `fallback`. */
function validity(spec: Spec, service: string, fallback = 0): Validity {
  const [start, end] = ['start-time', 'end-time'].map((key) => {
    const text = spec.get(key);
    if (text === undefined) return undefined;
    const ms = Date.parse(text);
    if (Number.isFinite(ms)) return ms;
    throw fail(R.optionValue, { expected: `--${service} with ${key} as RFC 3339`, actual: text });
  });
  return { start: start ?? fallback, ...(end === undefined ? {} : { end }) };
}

async function authority(text: string, service: string, context: CliContext): Promise<CaAuthority> {
  const spec = specOf(text, service, ['url', 'certificate-chain']);
  const chain = await certificatesIn(spec.get('certificate-chain') ?? '', context);
  // Without a start an authority counts from when its certificate does.
  return authorityOf(spec.get('url') ?? '', chain, validity(spec, service, chain[0].notBefore));
}

async function log(text: string, service: string, context: CliContext): Promise<LogInput> {
  const spec = specOf(text, service, ['url', 'public-key', 'start-time']);
  return logOf(
    spec.get('url') ?? '',
    spec.get('public-key') ?? '',
    validity(spec, service),
    context,
    spec.get('origin'),
  );
}
