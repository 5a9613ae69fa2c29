/** What decides a verdict, and the tests that are to notice when a check of it is gone. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutantsOf, type SourceMutant } from './sites.ts';

export interface Target {
  readonly file: string;
  /** Where only part of a file decides verdicts, the functions that do. */
  readonly only?: RegExp;
  /** The tests of this room, which are asked first. */
  readonly tests: readonly string[];
}

const formatTests = (...names: readonly string[]): string[] =>
  names.flatMap((name) => globSync(`test/formats/${name}{,-boundary}.test.ts`)).sort();

const ofVerify = globSync('test/verify/*.test.ts').sort();
const ofDer = formatTests('der', 'pem', 'x509', 'x509-build', 'sct', 'cms', 'tsp');
const ofSigstore = [
  ...formatTests('json', 'sigstore', 'note', 'rekor'),
  ...['bundle-attacks', 'content-attacks', 'log-boundary', 'entry-boundary', 'legacy'].map(
    (name) => `test/verify/${name}.test.ts`,
  ),
];
const ofBase = [...globSync('test/base/*.test.ts').sort(), ...formatTests('x509', 'pem')];

export const targets: readonly Target[] = [
  ...globSync('src/verify/*.ts')
    .filter((file) => !/(?:index|reasons|verdict)\.ts$/.test(file))
    .sort()
    .map((file) => ({ file, tests: ofVerify })),
  ...formats(ofDer, 'der', 'pem', 'sct', 'cms', 'tsp', 'fulcio'),
  ...formats(ofDer, 'x509', 'x509-algorithms', 'x509-extensions', 'x509-name'),
  ...formats(formatTests('merkle'), 'merkle'),
  ...formats(formatTests('json'), 'json', 'json-reader'),
  ...formats(ofSigstore, 'bundle', 'dsse', 'intoto', 'tlog-entry', 'trusted-root', 'key-details'),
  ...formats(ofSigstore, 'note', 'rekor', 'rekor-v1', 'rekor-v2'),
  {
    file: 'src/base/bytes.ts',
    only: /^(?:equalBytes|fromHex|fromBase64|fromBase64Url|tryBase64|decodeShort|sextet|utf8Text)$/,
    tests: ofBase,
  },
  { file: 'src/base/digest.ts', tests: ofBase },
  {
    file: 'src/base/crypto.ts',
    only: /^(?:verify|kindOf|wrapPublic|publicKeyFrom|lazyPublicKey)/,
    tests: ofBase,
  },
  { file: 'src/base/ecdsa-digest.ts', tests: ofBase },
  { file: 'src/base/curves.ts', tests: ofBase },
];

function formats(tests: readonly string[], ...names: readonly string[]): Target[] {
  return names.map((name) => ({ file: `src/formats/${name}.ts`, tests }));
}

/**
 * All tests that may notice, for what those of the room do not. The generators of the corpus stay out: what only
 * chance notices has no test.
 */
export const testFiles: readonly string[] = [
  ...ofVerify,
  'test/vectors/sigstore-conformance.test.ts',
  ...formatTests('der', 'json', 'merkle', 'pem', 'sct', 'cms', 'sigstore', 'note', 'rekor'),
  ...formatTests('tsp', 'x509', 'x509-build', 'reference'),
  ...globSync('test/properties/*.test.ts').sort(),
  ...globSync('test/base/*.test.ts').sort(),
];

export const mutantsIn = (folder: string, { file, only }: Target): SourceMutant[] =>
  mutantsOf(file, readFileSync(join(folder, file), 'utf8'), only);
