/**
 * docs/compatibility.md: what was shown with which real client, written by `npm run test:peers -- --record` from the
 * claims of its run. What a run did not ask keeps the answer of the run before.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { peers } from './catalogue.ts';
import type { Claim } from './claims-reporter.ts';

const recordFile = 'docs/compatibility.jsonl';
const pageFile = 'docs/compatibility.md';

/** Versions at the time a claim was met, and the claim. */
interface Met {
  readonly file: string;
  readonly claim: string;
  readonly peers: readonly string[];
}

interface Operation {
  readonly title: string;
  /** Claims that show it, by client: file, and what the claim says. */
  readonly shown: Readonly<Record<string, readonly [file: string, claim: RegExp]>>;
}

/** Columns of the table. */
const clients = [
  'cosign',
  'sigstore-go',
  'sigstore-python',
  'sigstore-js',
  'rekor-cli',
  'crane',
  'skopeo',
  'containers-image',
  'kubectl',
];

const operations: readonly Operation[] = [
  {
    title: 'trusts the stack by TUF alone',
    shown: {
      cosign: ['cosign', /^cosign starts from our TUF repository alone/],
      'sigstore-go': ['sigstore-go', /^trusting by TUF alone/],
      'sigstore-python': ['sigstore-python', /trusting by tuf, and both verify/],
      'sigstore-js': ['sigstore-js', /^sigstore-js signs a file .* trusting by TUF alone/],
    },
  },
  {
    title: 'signs a file by our CA, log and timestamps; we verify it',
    shown: {
      cosign: ['cosign-sign', /^we verify files that cosign 3 and 2 signed/],
      'sigstore-python': ['sigstore-python', /^it signs, trusting by file, and both verify/],
      'sigstore-js': ['sigstore-js', /^sigstore-js signs a file .* API v1/],
    },
  },
  {
    title: 'verifies a file we signed',
    shown: {
      cosign: ['cosign-sign', /^cosign 3 and 2 verify files .* API v1/],
      'sigstore-go': ['sigstore-go', /^trusting by TUF alone it verifies .* API v1/],
      'sigstore-python': ['sigstore-python', /^it verifies, trusting by file, what we signed/],
      'sigstore-js': ['sigstore-js', /^sigstore-js verifies a file we signed .* API v1/],
    },
  },
  {
    title: 'the same by the log with API v2',
    shown: {
      cosign: ['cosign-sign', /^cosign 3 and 2 verify files .* API v2/],
      'sigstore-go': ['sigstore-go', /^trusting by TUF alone it verifies .* API v2/],
      'sigstore-python': ['sigstore-python', /^it verifies, trusting by file for v2/],
      'sigstore-js': ['sigstore-js', /^sigstore-js signs a file .* API v2/],
    },
  },
  {
    title: 'signs an image; we verify it',
    shown: {
      cosign: ['cosign', /^we verify the signature and attestation cosign makes/],
      'containers-image': ['containers-image', /^we verify what it signs/],
    },
  },
  {
    title: 'verifies an image we signed, by certificate',
    shown: {
      cosign: ['cosign', /^cosign verifies our signature and attestation/],
      'containers-image': ['containers-image', /signed with a certificate, by that person only/],
      kubectl: ['kube', /^a Pod by tag is admitted/],
    },
  },
  {
    title: 'the same by key',
    shown: {
      cosign: ['cosign', /^key files of either tool work in the other/],
      'containers-image': ['containers-image', /signed with a key, and no other/],
    },
  },
  {
    title: 'attestations, both ways',
    shown: {
      cosign: ['cosign', /^we verify the signature and attestation cosign makes/],
      'sigstore-python': ['sigstore-python', /^statements: it attests/],
      'sigstore-js': ['sigstore-js', /^statements by the log with API v2/],
    },
  },
  {
    title: 'attestations we signed (a verifier only)',
    shown: { 'sigstore-go': ['sigstore-go', /^and statements we signed with log API v2/] },
  },
  {
    title: 'the older layout under tags, both ways',
    shown: { cosign: ['cosign', /^the legacy layout works both ways/] },
  },
  {
    title: 'searches, reads and proves our log',
    shown: { 'rekor-cli': ['rekor-cli', /^rekor-cli finds an entry by artifact/] },
  },
  {
    title: 'writes into our log',
    shown: {
      cosign: ['cosign', /^cosign signs and verifies a blob/],
      'sigstore-js': ['sigstore-js', /^sigstore-js signs a file .* API v1/],
      'rekor-cli': ['rekor-cli-upload', /^rekor-cli uploads hashedrekord and rekord/],
    },
  },
  {
    title: 'pushes to and pulls from our registry',
    shown: {
      cosign: ['cosign-storage', /^ours finds what cosign attached in both layouts/],
      crane: ['crane', /^crane pushes, lists, validates/],
      skopeo: ['skopeo', /^it copies an image out of our registry and back/],
    },
  },
  {
    title: 'reads layouts we saved',
    shown: {
      cosign: ['cosign-storage', /^what ours copied to another repository, and through a layout/],
      crane: ['crane', /^layouts go both ways/],
      skopeo: ['skopeo', /^it reads a layout that we saved/],
    },
  },
  {
    title: 'at one stack with all others: what `waybill stack connect` prints, over TLS, both ways',
    shown: {
      cosign: ['one-stack', /^cosign: initialize, and images and files/],
      'sigstore-go': ['one-stack', /^sigstore-go: /],
      'sigstore-python': ['one-stack', /^sigstore-python: /],
      'sigstore-js': ['one-stack', /^sigstore-js: /],
      'rekor-cli': ['one-stack', /^rekor-cli: /],
      crane: ['one-stack', /^crane: /],
      skopeo: ['one-stack', /^skopeo: /],
    },
  },
  {
    title: 'is refused what is not signed, with our words',
    shown: {
      cosign: ['cosign-demo', /^cosign refuses it for another identity/],
      'sigstore-js': ['sigstore-js', /^sigstore-js is told by our services/],
      'containers-image': ['containers-image', /signed with a key, and no other/],
      kubectl: ['kube', /^an unsigned image is denied/],
    },
  },
];

const titles: Readonly<Record<string, string>> = {
  'containers-image': 'podman, CRI-O (containers/image)',
  kubectl: 'kubectl, kube-apiserver',
};

/** Binaries whose printed lines `one-stack` says. */
const connected = new Set([
  'cosign',
  'cosign-2',
  'rekor-cli',
  'crane',
  'skopeo',
  'sigstore-go-verification',
  'sigstore-python',
  'sigstore-js',
]);

/** Versions of the peers a file of tests is about. */
function versionsFor(file: string): string[] {
  // The contract of stores is asked of the real one here.
  const about = file === 'log-store-conformance' ? 'versitygw' : file;
  const own = peers.filter(({ name }) => about.startsWith(name));
  const more =
    file === 'fulcio'
      ? peers.filter(({ name }) => ['rekor-tiles', 'timestamp-server', 'cosign'].includes(name))
      : file === 'one-stack'
        ? peers.filter(({ binary }) => connected.has(binary))
        : [];
  return [...new Set([...own, ...more].map(({ name, version }) => `${name} ${version}`))];
}

const readRecord = (): readonly Met[] =>
  existsSync(recordFile)
    ? readFileSync(recordFile, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Met)
    : [];

/**
 * Takes in what a run met, and writes record and page. A file with a claim that did not hold is left out whole; of what a
 * whole run did not ask nothing stays.
 */
export function record(claims: readonly Claim[], { isWhole }: { readonly isWhole: boolean }): void {
  const asked = new Set(claims.map(({ file }) => file));
  const failed = new Set(claims.flatMap(({ file, held }) => (held ? [] : [file])));
  const kept = isWhole ? [] : readRecord().filter(({ file }) => !asked.has(file));
  const met = claims.flatMap(({ file, claim }): Met[] =>
    failed.has(file) ? [] : [{ file, claim, peers: versionsFor(file) }],
  );
  const all = [...kept, ...met].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
  writeFileSync(recordFile, all.map((met) => `${JSON.stringify(met)}\n`).join(''));
  writeFileSync(pageFile, page(all));
}

export function page(all: readonly Met[]): string {
  const isShown = ([file, claim]: readonly [string, RegExp]): boolean =>
    all.some((met) => met.file === file && claim.test(met.claim));
  const cell = ({ shown }: Operation, client: string): string => {
    const by = shown[client];
    if (by === undefined) return '';
    return isShown(by) ? 'yes' : 'not met';
  };
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const files = [...new Set(all.map(({ file }) => file))];
  return [
    ...head,
    row(['operation', ...clients.map((client) => titles[client] ?? client)]),
    row(['---', ...clients.map(() => '---')]),
    ...operations.map((one) => row([one.title, ...clients.map((client) => cell(one, client))])),
    '',
    '## Every claim, by the file that shows it',
    ...files.flatMap((file) => {
      const claims = all.filter((met) => met.file === file);
      const with_ = claims[0]?.peers.join(', ') ?? '';
      return [
        '',
        `### ${file}`,
        '',
        ...(with_ === '' ? [] : [`With ${with_}.`, '']),
        ...claims.map(({ claim }) => `- ${claim.replaceAll('|', '\\|')}`),
      ];
    }),
    '',
  ].join('\n');
}

const head: readonly string[] = [
  '# Compatibility',
  '',
  'Written by `npm run test:peers -- --record` from the tests that held in its run; do not edit. Every cell is a test with',
  'the real program against one running stack of ours, with the one setting the stack prints for it; an empty cell was not',
  'asked, or the client has no such operation. `npm run peers` installs the clients, `npm run test:peers -- NAME` asks one again.',
  '',
  'sigstore-js is its npm packages, and its command line for what the stack prints. sigstore-go is its command line; as a',
  'library it judges thousands of bundles beside us (sigstore-go-differential).',
  '',
  '`cosign load` of 3.1.3 puts the manifest of a bundle without the layer it names; a registry that checks what a manifest',
  'names, as ours does, refuses that. `cosign copy`, `waybill load` and `waybill copy` bring everything.',
  '',
  'Not to be had as a module or package here, and so not shown: the conformance suite of the OCI distribution',
  'specification, the current skopeo (its library stands for it: containers-image), gh, Flux, notation.',
  '',
];
