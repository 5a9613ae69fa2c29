/** `waybill cosign trusted-root create`: a trusted root from keys and certificates in files. */
import type { Command } from 'commander';
import { fail } from '#base/reason';
import { isNonEmpty, type NonEmpty, unwrap } from '#base/result';
import type { CaAuthority, LogInput, TrustedRootInput, Validity } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import type { UsedTrust } from '../trust-options.ts';
import { asCosign } from './cosign-common.ts';
import { addFlags, type FlagSpec, readFlags } from './cosign-flags.ts';
import { refuseBy } from './native.ts';

const noPublicRoot = 'waybill has no built-in root: give every service by its own flag';
const flags: readonly FlagSpec[] = [
  { flags: '--fulcio <spec>', help: 'url=,certificate-chain=[,start-time=][,end-time=]', isList: true },
  { flags: '--ctfe <spec>', help: 'url=,public-key=,start-time=[,end-time=][,origin=]', isList: true },
  { flags: '--rekor <spec>', help: 'url=,public-key=,start-time=[,end-time=][,origin=]', isList: true },
  { flags: '--tsa <spec>', help: 'url=,certificate-chain=[,start-time=][,end-time=]', isList: true },
  { flags: '--out <file>', help: 'file to write' },
  { flags: '--with-default-services', help: `not supported: ${noPublicRoot}`, instead: noPublicRoot },
  ...['fulcio', 'ctfe', 'rekor', 'tsa'].map((name) => ({
    flags: `--no-default-${name}`,
    help: 'accepted, has no effect',
  })),
];

interface Flags {
  readonly fulcio: readonly string[];
  readonly ctfe: readonly string[];
  readonly rekor: readonly string[];
  readonly tsa: readonly string[];
  readonly out?: string;
}

export function addTrustedRoot(cosign: Command, context: CliContext): void {
  const group = cosign.command('trusted-root').description('trusted roots');
  refuseBy(group, 'cosign trusted-root');
  const create = addFlags(group.command('create').description('a trusted root from files'), flags);
  refuseBy(create, 'cosign trusted-root create').action(() =>
    asCosign(context, {}, async () => {
      const { out, ...specs } = readFlags<Flags>(create, flags, context);
      const { trustedRootValue } = await import('#formats/trusted-root');
      const [certificateAuthorities, ctlogs, tlogs, timestampAuthorities] = await Promise.all([
        Promise.all(specs.fulcio.map((spec) => authority(spec, 'fulcio'))),
        Promise.all(specs.ctfe.map((spec) => log(spec, 'ctfe'))),
        Promise.all(specs.rekor.map((spec) => log(spec, 'rekor'))),
        Promise.all(specs.tsa.map((spec) => authority(spec, 'tsa'))),
      ]);
      const root = { certificateAuthorities, ctlogs, tlogs, timestampAuthorities };
      const entries = Object.entries(trustedRootValue(root)).filter(
        ([, value]) => !Array.isArray(value) || value.length > 0,
      );
      const text = JSON.stringify(Object.fromEntries(entries)).replaceAll(
        /(T\d\d:\d\d:\d\d)\.000Z"/g,
        '$1Z"',
      );
      if (out === undefined) return context.stdout(text);
      const { writeFileDurable } = await import('#platform/files');
      await writeFileDurable(out, `${text}\n`);
    }),
  );
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

async function authority(text: string, service: string): Promise<CaAuthority> {
  const spec = specOf(text, service, ['url', 'certificate-chain']);
  const chain = await certificatesIn(spec.get('certificate-chain') ?? '');
  // Without a start an authority counts from when its certificate does.
  return authorityOf(spec.get('url') ?? '', chain, validity(spec, service, chain[0].notBefore));
}

async function authorityOf(
  uri: string,
  chain: NonEmpty<Certificate>,
  validFor: Validity,
): Promise<CaAuthority> {
  const anchor = chain.at(-1) ?? chain[0];
  const part = (name: string): string =>
    new RegExp(`(?:^|,)${name}=((?:[^,\\\\]|\\\\.)*)`).exec(anchor.subjectText)?.[1] ?? '';
  return { uri, chain, validFor, subject: { organization: part('O'), commonName: part('CN') } };
}

async function certificatesIn(path: string): Promise<NonEmpty<Certificate>> {
  const [{ pemDecode }, { parseCertificate }, text] = await Promise.all([
    import('#formats/pem'),
    import('#formats/x509'),
    textOf(path),
  ]);
  const chain = unwrap(pemDecode(text, 'CERTIFICATE')).map(({ der }) => unwrap(parseCertificate(der)));
  if (isNonEmpty(chain)) return chain;
  throw fail(R.optionValue, { expected: `a certificate in ${path}`, actual: 'none' });
}

async function textOf(path: string): Promise<string> {
  const [{ readFileLimited }, { utf8Text }] = await Promise.all([
    import('#platform/files'),
    import('#base/bytes'),
  ]);
  return utf8Text(await readFileLimited(path, FILE_BYTES_MAX));
}

const FILE_BYTES_MAX = 256 * 1024;

async function log(text: string, service: string): Promise<LogInput> {
  const spec = specOf(text, service, ['url', 'public-key', 'start-time']);
  return logOf(
    spec.get('url') ?? '',
    spec.get('public-key') ?? '',
    validity(spec, service),
    spec.get('origin'),
  );
}

async function logOf(baseUrl: string, path: string, validFor: Validity, origin?: string): Promise<LogInput> {
  const [{ publicKeyFromPem, sha256 }, { noteKeyId }] = await Promise.all([
    import('#base/crypto'),
    import('#formats/note'),
  ]);
  const publicKey = unwrap(publicKeyFromPem(await textOf(path)));
  // With an origin a log is known by the id its checkpoints are signed with.
  const logId = origin === undefined ? sha256(publicKey.spki) : noteKeyId(origin, publicKey);
  return { baseUrl, publicKey, logId, validFor };
}

/** Variables that name single files of a private instance, from before there were trusted roots. */
const files = {
  fulcio: 'SIGSTORE_ROOT_FILE',
  rekor: 'SIGSTORE_REKOR_PUBLIC_KEY',
  ctfe: 'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
  tsa: 'SIGSTORE_TSA_CERTIFICATE_FILE',
} as const;

/** The trusted root made of those files; undefined when none is named. They say no interval: the keys count always. */
export async function singleFileRoot({ env }: CliContext): Promise<Uint8Array | undefined> {
  const { fulcio, rekor, ctfe, tsa } = files;
  if (![fulcio, rekor, ctfe, tsa].some((name) => env[name])) return undefined;
  const always: Validity = { start: 0 };
  const authorities = async (name: string): Promise<CaAuthority[]> =>
    env[name] ? [await authorityOf('', await certificatesIn(env[name]), always)] : [];
  const logs = async (name: string): Promise<LogInput[]> =>
    env[name] ? [await logOf('', env[name], always)] : [];
  const input: TrustedRootInput = {
    certificateAuthorities: await authorities(fulcio),
    timestampAuthorities: await authorities(tsa),
    tlogs: await logs(rekor),
    ctlogs: await logs(ctfe),
  };
  const [{ trustedRootJson }, { utf8 }] = await Promise.all([
    import('#formats/trusted-root'),
    import('#base/bytes'),
  ]);
  return utf8(trustedRootJson(input));
}

/** As `singleFileRoot`, ready for the verifier. */
export async function singleFiles(context: CliContext): Promise<UsedTrust | undefined> {
  const bytes = await singleFileRoot(context);
  if (bytes === undefined) return undefined;
  const [{ parseTrustedRoot }, { trustMaterial }, { digestOf, digestHex }] = await Promise.all([
    import('#formats/trusted-root'),
    import('#verify'),
    import('#base/digest'),
  ]);
  const hash = digestHex(digestOf(bytes));
  const named = { origin: 'files named by SIGSTORE_* variables', sha256: hash };
  return { material: trustMaterial(unwrap(parseTrustedRoot(bytes))), hash, named };
}
