/** What a stock client needs to be told to use a stack: one setting each, and the words to say then. */
import { join, resolve } from 'node:path';
import { stackTrustFiles } from '#trust';
import { authorityVariables, environmentOf, oldEnvironmentOf, quoted } from './environment.ts';
import type { StackState } from './state.ts';

export const connectableClients = [
  'cosign',
  'cosign-2',
  'sigstore-go',
  'sigstore-js',
  'sigstore-python',
  'rekor-cli',
  'crane',
  'skopeo',
] as const;
export type ConnectableClient = (typeof connectableClients)[number];

export interface Connection {
  readonly client: ConnectableClient;
  /** What it can do with the stack then. */
  readonly about: string;
  /** To be exported. */
  readonly variables: Readonly<Record<string, string>>;
  /** The setting when it is a command, then an example of each use. */
  readonly commands: readonly string[];
}

interface Place {
  /** A file of the data directory, quoted for a shell. */
  readonly file: (name: string) => string;
  readonly origins: StackState['origins'];
  readonly registry: string;
  readonly identity: string;
}

/** For `client`; nothing in it is secret. */
export function connectionOf(client: ConnectableClient, dataDir: string, state: StackState): Connection {
  const { origins } = state;
  const all = environmentOf(dataDir, origins);
  const tls = Object.fromEntries(
    Object.entries(all).filter(([name]) => authorityVariables.some((one) => one === name)),
  );
  const place: Place = {
    file: (name) => quoted(join(resolve(dataDir), name)),
    origins,
    registry: new URL(origins.registry).host,
    identity: `--certificate-identity you@example.com --certificate-oidc-issuer ${origins.oidc}`,
  };
  const { variables = {}, ...rest } = ways[client](place);
  const old = client === 'cosign-2' ? oldEnvironmentOf(dataDir) : {};
  return { client, ...rest, variables: { ...tls, ...old, ...variables } };
}

type Way = (
  place: Place,
) => Omit<Connection, 'client' | 'variables'> & { readonly variables?: Connection['variables'] };

const TOKEN = '"$(waybill stack token --email you@example.com)"';

const ways: Readonly<Record<ConnectableClient, Way>> = {
  cosign: ({ file, origins, registry, identity }) => ({
    about: 'sign, attest and verify images and files (cosign 3)',
    commands: [
      `cosign initialize --mirror ${origins.tuf} --root ${file(stackTrustFiles.tufRoot)}`,
      `cosign sign --yes --identity-token ${TOKEN} ${registry}/IMAGE@DIGEST`,
      `cosign verify ${identity} ${registry}/IMAGE@DIGEST`,
      `cosign sign-blob FILE --yes --identity-token ${TOKEN} --bundle FILE.sigstore.json`,
      `cosign verify-blob FILE --bundle FILE.sigstore.json ${identity}`,
    ],
  }),
  'cosign-2': ({ origins, registry, identity }) => ({
    about: 'the same with cosign 2 and its layout; cosign 3 verifies no bundles while these are set',
    commands: [
      `cosign sign --yes --fulcio-url ${origins.ca} --rekor-url ${origins.log} --identity-token ${TOKEN} ${registry}/IMAGE@DIGEST`,
      `cosign verify --rekor-url ${origins.log} ${identity} ${registry}/IMAGE@DIGEST`,
    ],
  }),
  'sigstore-go': ({ file, origins }) => ({
    about: 'verify bundles; the library reads the same root',
    commands: [
      `sigstore-go --trustedrootJSONpath ${file(stackTrustFiles.trustedRoot)} --expectedIssuer ${origins.oidc} ` +
        '--expectedSAN you@example.com --artifact FILE FILE.sigstore.json',
    ],
  }),
  'sigstore-js': ({ file, origins }) => ({
    about: 'sign and verify bundles; the library takes tufMirrorURL and tufRootPath',
    commands: [
      `sigstore attest STATEMENT --fulcio-url ${origins.ca} --rekor-url ${origins.log} --oidc-issuer ${origins.oidc} ` +
        `--tsa-server-url ${origins.tsa} --output-file STATEMENT.sigstore.json`,
      `sigstore verify STATEMENT.sigstore.json --tuf-mirror-url ${origins.tuf} ` +
        `--tuf-root-path ${file(stackTrustFiles.tufRoot)} --tuf-cache-path CACHE ` +
        `--certificate-identity-email you@example.com --certificate-issuer ${origins.oidc}`,
    ],
  }),
  'sigstore-python': ({ file, origins }) => ({
    about: 'sign and verify files',
    commands: [
      `sigstore --trust-config ${file(stackTrustFiles.trustConfig)} sign --identity-token ${TOKEN} FILE`,
      `sigstore --trust-config ${file(stackTrustFiles.trustConfig)} verify identity FILE ` +
        `--cert-identity you@example.com --cert-oidc-issuer ${origins.oidc}`,
    ],
  }),
  'rekor-cli': ({ file, origins }) => ({
    about: 'search, read, verify and upload entries of the log with API v1',
    commands: [
      `rekor-cli --rekor_server ${origins.log} loginfo`,
      `rekor-cli --rekor_server ${origins.log} search --sha SHA256`,
      `rekor-cli --rekor_server ${origins.log} verify --artifact FILE --signature FILE.sig --public-key FILE.pub`,
      `# its log key: ${file('public/rekor.pub')}`,
    ],
  }),
  crane: ({ registry }) => ({
    about: 'push, pull, copy and list images; a registry of this machine needs no setting',
    commands: [
      `crane copy SRC ${registry}/IMAGE:TAG`,
      `crane ls ${registry}/IMAGE`,
      `crane catalog ${registry}`,
    ],
  }),
  skopeo: ({ registry }) => ({
    about: 'copy and inspect images; it is told that this registry speaks plain http',
    commands: [
      `skopeo copy --dest-tls-verify=false docker://SRC docker://${registry}/IMAGE:TAG`,
      `skopeo inspect --tls-verify=false docker://${registry}/IMAGE:TAG`,
    ],
  }),
};

/** For `eval "$(waybill stack connect CLIENT)"`: exports, and the rest as comments. */
export function connectionText({ client, about, variables, commands }: Connection): string {
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const lines = commands.map((command) => (command.startsWith('#') ? command : `#   ${command}`));
  return [`# ${client}: ${about}`, ...exports, ...lines].join('\n');
}
