/** What decides a verdict, and the tests that are to notice when a check of it is gone. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mutantsOf, type SourceMutant } from './sites.ts';

/** Source files; where only part of a file decides verdicts, the functions that do. */
const targets: readonly { readonly file: string; readonly only?: RegExp }[] = [
  ...globSync('src/verify/*.ts')
    .filter((file) => !/(?:index|reasons|verdict)\.ts$/.test(file))
    .sort()
    .map((file) => ({ file })),
  ...['bundle', 'dsse', 'intoto', 'json', 'json-reader', 'tlog-entry', 'trusted-root', 'key-details'].map(
    format,
  ),
  ...['note', 'rekor', 'rekor-v1', 'rekor-v2', 'merkle'].map(format),
  ...['der', 'pem', 'sct', 'cms', 'x509', 'x509-algorithms', 'x509-extensions', 'x509-name', 'fulcio'].map(
    format,
  ),
  { file: 'src/formats/tsp.ts' },
  { file: 'src/base/bytes.ts', only: /^(?:equalBytes|fromHex|fromBase64|fromBase64Url|utf8Text)$/ },
  { file: 'src/base/digest.ts' },
  { file: 'src/base/crypto.ts', only: /^(?:verify|kindOf|wrapPublic|publicKeyFrom|lazyPublicKey)/ },
  { file: 'src/base/ecdsa-digest.ts' },
];

function format(name: string): { readonly file: string } {
  return { file: `src/formats/${name}.ts` };
}

/**
 * Test files in the order they are asked, the cheap and pointed ones first. The generators of the
 * corpus stay out: what only chance notices has no test.
 */
export const testFiles: readonly string[] = [
  ...globSync('test/verify/*.test.ts').filter((file) => !/differential\.test\.ts$/.test(file)),
  'test/vectors/sigstore-conformance.test.ts',
  ...['der', 'json', 'merkle', 'pem', 'sct', 'sigstore', 'tsp', 'x509', 'x509-build', 'reference'].map(
    (name) => `test/formats/${name}.test.ts`,
  ),
  ...globSync('test/formats/*-boundary.test.ts').sort(),
  ...globSync('test/properties/*.test.ts').sort(),
  ...globSync('test/base/*.test.ts').sort(),
];

export function allMutants(folder: string): SourceMutant[] {
  return targets.flatMap(({ file, only }) => mutantsOf(file, readFileSync(join(folder, file), 'utf8'), only));
}
