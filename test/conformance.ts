/** `npm run conformance -- sigstore`: the case classes of the field's conformance suites. */
const suites: Readonly<Record<string, () => Promise<unknown>>> = {
  sigstore: () => import('./vectors/conformance-sigstore.ts'),
  client: () => import('./vectors/conformance-client-run.ts'),
  tuf: () => import('./tuf/conformance.ts'),
};

const name = process.argv[2] ?? 'sigstore';
const suite = suites[name];
if (suite === undefined) {
  console.error(`no suite ${name}; there are: ${Object.keys(suites).join(', ')}`);
  process.exit(3);
}
await suite();
