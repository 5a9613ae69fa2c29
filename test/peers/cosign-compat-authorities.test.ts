/**
 * Authorities in files of their own, `--certificate-chain`, `--ca-roots`, `--ca-intermediates`,
 * `--timestamp-certificate-chain`, `--certificate` and `--sct`: what the real cosign accepts `waybill cosign` accepts
 * with the same flags, and what it refuses is refused, with the same exit code.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { generateKey, publicKeyPem, sha256 } from '#base/crypto';
import { addChainResponse, certificateSignedData } from '#formats/sct';
import { extensionOf, extKeyUsage } from '#formats/x509-build';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { type Row, sideBySide } from './cosign-rows.ts';
import { authority, type Holder, pem, signer } from './own-pki.ts';
import { pushImage } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost, dataDir } = stack;
const publicFile = (name: string): string => join(dataDir, 'public', name);
const at = (name: string): string => join(home, name);
const { done, testRows } = sideBySide(
  binary,
  {
    HOME: home,
    COSIGN_PASSWORD: 'secret',
    SIGSTORE_REKOR_PUBLIC_KEY: publicFile('rekor.pub'),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: at('ct.pub'),
  },
  [dataDir],
);

const root = authority('Root');
const middle = authority('Middle', root);
const lower = authority('Lower', middle);
const otherRoot = authority('Other Root');
/** Signs, and may not. */
const clerk = signer('clerk@example.com', root);
const narrow = authority('Narrow', root, {
  extensions: [extensionOf.keyUsage('keyCertSign', 'cRLSign'), extensionOf.authority(0)],
});
const belowNarrow = authority('Below Narrow', narrow);
const server = authority('Server', root, {
  extensions: [
    extensionOf.keyUsage('keyCertSign'),
    extensionOf.authority(),
    extensionOf.extKeyUsage([extKeyUsage.serverAuth]),
  ],
});
const expired = authority('Expired', root, {
  notBefore: Date.now() - 7_200_000,
  notAfter: Date.now() - 3_600_000,
});
const BRIEF_MS = 20_000;
const until = Date.now() + BRIEF_MS;
const signers = {
  ada: signer('ada@example.com', lower),
  direct: signer('direct@example.com', root),
  clerked: signer('clerked@example.com', clerk),
  narrowed: signer('narrowed@example.com', belowNarrow),
  served: signer('served@example.com', server),
  late: signer('late@example.com', expired),
  brief: signer('brief@example.com', lower, { notAfter: until }),
  both: signer('both@example.com', lower, {
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
      extensionOf.subjectAltName([
        { type: 'email', value: 'both@example.com' },
        { type: 'uri', value: 'https://example.com/both' },
      ]),
    ],
  }),
  nameless: signer('nameless@example.com', lower, {
    extensions: [
      extensionOf.keyUsage('digitalSignature'),
      extensionOf.extKeyUsage([extKeyUsage.codeSigning]),
    ],
  }),
} satisfies Record<string, Holder>;
type Name = keyof typeof signers;

/** Files with certificates, in the order written. */
const files = {
  'root.pem': pem(root),
  'other.pem': pem(otherRoot),
  'all.pem': pem(lower, middle, root),
  'reversed.pem': pem(root, middle, lower),
  'shuffled.pem': pem(middle, lower, root),
  'rootless.pem': pem(lower, middle),
  'between.pem': pem(lower, middle),
  'half.pem': pem(middle),
  'roots.pem': pem(otherRoot, root),
  'clerk.pem': pem(clerk, root),
  'clerkAlone.pem': pem(clerk),
  'narrow.pem': pem(belowNarrow, narrow, root),
  'server.pem': pem(server, root),
  'expired.pem': pem(expired, root),
  'otherAll.pem': pem(lower, middle, otherRoot),
  'nothing.pem': 'nothing\n',
};

const ct = generateKey('p256');

const older = ['--new-bundle-format=false', '--use-signing-config=false', '--yes'];
const logged = [...older, '--rekor-url', origins.log];
const unlogged = [...older, '--tlog-upload=false'];
const stamped = [...unlogged, '--timestamp-server-url', `${origins.tsa}/api/v1/timestamp`];

const names = [
  'logged',
  'chained',
  'plain',
  'stamped',
  'brief',
  'briefPlain',
  'direct',
  'both',
  'attested',
] as const;
const image = Object.fromEntries(
  await Promise.all(
    names.map(async (name) => [name, await pushImage(registryHost, `pki/${name.toLowerCase()}`, name)]),
  ),
) as Record<(typeof names)[number], string>;

async function writeMaterial(): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text);
  for (const [name, holder] of Object.entries(signers)) {
    await writeFile(at(`${name}.pem`), pem(holder));
    await writeFile(at(`${name}.plain`), holder.key.exportPem());
    await done('import-key-pair', '--key', at(`${name}.plain`), '--output-key-prefix', at(name));
  }
  await writeFile(at('ct.pub'), publicKeyPem(ct.publicKey));
  await writeFile(at('ada.sct'), sctFor(signers.ada));
  await writeFile(at('both.sct'), sctFor(signers.both));
  await writeFile(at('file'), 'hello\n');
  await writeFile(at('predicate.json'), '{}');
}

function sctFor({ certificate }: Holder): string {
  const timed = { timestamp: Date.now(), extensions: new Uint8Array() };
  const signature = ct.sign(certificateSignedData(timed, certificate.der));
  const logId = sha256(ct.publicKey.spki);
  return JSON.stringify(addChainResponse({ ...timed, logId, algorithm: 'ecdsa', signature }));
}

const by = (name: Name): string[] => ['--key', at(`${name}.key`), '--certificate', at(`${name}.pem`)];
const chain = (name: keyof typeof files): string[] => ['--certificate-chain', at(name)];

before(async () => {
  await writeMaterial();
  await done('sign', ...by('ada'), ...logged, image.logged);
  await done('sign', ...by('ada'), ...chain('all.pem'), ...logged, image.chained);
  await done('sign', ...by('ada'), ...unlogged, image.plain);
  await done('sign', ...by('ada'), ...stamped, image.stamped);
  await done('sign', ...by('brief'), ...stamped, image.brief);
  await done('sign', ...by('brief'), ...unlogged, image.briefPlain);
  await done('sign', ...by('direct'), ...logged, image.direct);
  await done('sign', ...by('both'), ...logged, image.both);
  const predicate = ['--predicate', at('predicate.json'), '--type', 'https://example.com/p'];
  await done('attest', ...by('ada'), ...logged, ...predicate, image.attested);
  for (const name of Object.keys(signers)) {
    const out = ['--output-signature', at(`${name}.sig`), '--rfc3161-timestamp', at(`${name}.tsr`)];
    await done('sign-blob', '--key', at(`${name}.key`), ...stamped, ...out, at('file'));
  }
  await wait(Math.max(0, until + 2_000 - Date.now()));
});

const who = (name: Name): string[] => [
  ...['--certificate-identity', `${name}@example.com`, '--certificate-oidc-issuer-regexp', '.*'],
  '--insecure-ignore-sct',
];
const verify = (name: keyof typeof image, signedBy: Name, ...args: string[]): Row => ({
  args: ['verify', ...who(signedBy), ...args, image[name]],
});
const roots = (name: keyof typeof files): string[] => ['--ca-roots', at(name)];
const between = (name: keyof typeof files): string[] => ['--ca-intermediates', at(name)];
const noLog = '--insecure-ignore-tlog';
const tsa = ['--timestamp-certificate-chain', publicFile('tsa_chain.pem')];
const certificate = (name: Name): string[] => ['--certificate', at(`${name}.pem`)];

const images: readonly Row[] = [
  ...(
    [
      'all.pem',
      'reversed.pem',
      'shuffled.pem',
      'rootless.pem',
      'root.pem',
      'otherAll.pem',
      'other.pem',
    ] as const
  ).flatMap((name) => [verify('logged', 'ada', ...chain(name)), verify('chained', 'ada', ...chain(name))]),
  verify('logged', 'ada', ...roots('root.pem'), ...between('between.pem')),
  verify('logged', 'ada', ...roots('roots.pem'), ...between('between.pem')),
  verify('logged', 'ada', ...roots('root.pem'), ...between('half.pem')),
  verify('logged', 'ada', ...roots('other.pem'), ...between('between.pem')),
  verify('logged', 'ada', ...roots('root.pem')),
  verify('chained', 'ada', ...roots('root.pem')),
  verify('chained', 'ada', ...roots('other.pem')),
  verify('chained', 'ada', ...roots('root.pem'), ...between('half.pem')),
  verify('direct', 'direct', ...roots('root.pem')),
  verify('direct', 'direct', ...chain('root.pem')),
  verify('direct', 'ada', ...chain('root.pem')),
  verify('logged', 'ada', ...chain('all.pem'), ...roots('other.pem')),
  verify('logged', 'ada', ...roots('none.pem' as 'root.pem')),
  { ...verify('logged', 'ada', ...chain('all.pem'), ...tsa), about: 'no timestamp, a log entry' },
  { ...verify('plain', 'ada', ...chain('all.pem')), about: 'no log entry' },
  verify('plain', 'ada', ...chain('all.pem'), noLog),
  verify('plain', 'ada', ...chain('all.pem'), noLog, ...tsa),
  verify('stamped', 'ada', ...chain('all.pem'), noLog, ...tsa),
  verify('stamped', 'ada', ...chain('all.pem'), noLog),
  verify('stamped', 'ada', ...chain('all.pem'), noLog, '--timestamp-certificate-chain', at('all.pem')),
  verify('stamped', 'ada', ...chain('all.pem'), noLog, '--timestamp-certificate-chain', at('root.pem')),
  { ...verify('brief', 'brief', ...chain('all.pem'), noLog, ...tsa), about: 'expired, with a timestamp' },
  { ...verify('brief', 'brief', ...chain('all.pem'), noLog), about: 'expired, its timestamp not looked at' },
  { ...verify('briefPlain', 'brief', ...chain('all.pem'), noLog, ...tsa), about: 'expired, no timestamp' },
  { ...verify('briefPlain', 'brief', ...chain('all.pem'), noLog), about: 'expired' },
  verify('both', 'both', ...chain('all.pem')),
  {
    args: [
      ...['verify', '--insecure-ignore-sct', ...chain('all.pem'), '--certificate-oidc-issuer-regexp', '.*'],
      ...['--certificate-identity', 'https://example.com/both', image.both],
    ],
  },
  {
    args: [
      ...['verify', '--insecure-ignore-sct', ...chain('all.pem'), '--certificate-oidc-issuer', 'https://x'],
      ...['--certificate-identity', 'ada@example.com', image.logged],
    ],
    about: 'an issuer that the certificate does not say',
  },
  { args: ['verify', ...who('ada').slice(0, -1), ...chain('all.pem'), image.logged], about: 'no SCT' },
  verify('logged', 'ada', ...chain('all.pem'), ...certificate('ada')),
  verify('logged', 'ada', ...roots('root.pem'), ...between('between.pem'), ...certificate('ada')),
  {
    ...verify('logged', 'direct', ...chain('root.pem'), ...certificate('direct')),
    about: 'another signer’s',
  },
  verify('logged', 'ada', ...chain('other.pem'), ...certificate('ada')),
  {
    args: [
      'verify',
      ...who('ada'),
      ...chain('all.pem'),
      '--trusted-root',
      publicFile('trusted_root.json'),
      image.logged,
    ],
  },
  {
    args: [
      ...['verify-attestation', ...who('ada'), ...chain('all.pem'), '--type', 'https://example.com/p'],
      image.attested,
    ],
  },
  {
    args: [
      ...['verify-attestation', ...who('ada'), ...chain('other.pem'), '--type', 'https://example.com/p'],
      image.attested,
    ],
  },
];

const blob = (name: Name, ...args: string[]): Row => ({
  args: [
    'verify-blob',
    ...who(name),
    ...certificate(name),
    '--signature',
    at(`${name}.sig`),
    ...args,
    at('file'),
  ],
});
const withStamp = (name: Name): string[] => [...tsa, '--rfc3161-timestamp', at(`${name}.tsr`)];

const blobs: readonly Row[] = [
  ...(['all.pem', 'reversed.pem', 'rootless.pem', 'root.pem', 'other.pem', 'nothing.pem'] as const)
    .filter((name) => name !== 'nothing.pem')
    .map((name) => blob('ada', noLog, ...chain(name))),
  blob('ada', noLog, ...roots('root.pem'), ...between('between.pem')),
  blob('ada', noLog, ...roots('root.pem')),
  blob('ada', noLog, ...chain('all.pem'), ...withStamp('ada')),
  blob('ada', noLog, ...chain('all.pem'), ...withStamp('both')),
  blob('ada', noLog, ...chain('all.pem'), ...tsa),
  blob('ada', noLog, ...chain('all.pem'), '--rfc3161-timestamp', at('ada.tsr')),
  blob('ada', noLog, ...chain('all.pem'), '--key', at('ada.pub')),
  { ...blob('brief', noLog, ...chain('all.pem'), ...withStamp('brief')), about: 'expired, with a timestamp' },
  { ...blob('brief', noLog, ...chain('all.pem')), about: 'expired' },
  { ...blob('clerked', noLog, ...chain('clerk.pem')), about: 'an intermediate that is no CA' },
  { ...blob('clerked', noLog, ...chain('clerkAlone.pem')), about: 'an anchor that is no CA' },
  { ...blob('narrowed', noLog, ...chain('narrow.pem')), about: 'a path longer than allowed' },
  { ...blob('served', noLog, ...chain('server.pem')), about: 'an intermediate for other purposes' },
  { ...blob('late', noLog, ...chain('expired.pem')), about: 'an intermediate that had expired' },
  { ...blob('nameless', noLog, ...chain('all.pem')), about: 'no name' },
  { args: [...blob('ada', noLog, ...chain('all.pem')).args, '--insecure-ignore-sct=false'], about: 'no SCT' },
  {
    args: [
      ...blob('ada', noLog, ...chain('all.pem'), '--sct', at('ada.sct')).args,
      '--insecure-ignore-sct=false',
    ],
    about: 'its SCT',
  },
  {
    args: [
      ...blob('ada', noLog, ...chain('all.pem'), '--sct', at('both.sct')).args,
      '--insecure-ignore-sct=false',
    ],
    about: 'the SCT of another certificate',
  },
].map((one): Row => {
  const asksSct = one.args.includes('--insecure-ignore-sct=false');
  return {
    ...one,
    args: asksSct ? one.args.filter((word) => !word.startsWith('--insecure-ignore-sct')) : one.args,
  };
});

/** The one that has to hold, so that equal refusals do not pass for equality. */
const plain = [verify('logged', 'ada', ...chain('all.pem')), blob('ada', noLog, ...chain('all.pem'))];

describe('what holds', () => testRows(plain.map((one) => ({ ...one, about: 'accepted', code: 0 }))));
describe('images', { concurrency: 2 }, () => testRows(images));
describe('files', { concurrency: 2 }, () => testRows(blobs));
