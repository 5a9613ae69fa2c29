/** What a stock client needs to be told to use a stack: one setting each, and the words to say then. */
import { join, resolve } from 'node:path';
import type { ConnectableClient } from '#formats/client-names';
import { stackTrustFiles } from '#trust';
import { authorityVariables, environmentOf, quoted } from './environment.ts';
import type { StackState } from './state.ts';

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
  readonly email: string;
  readonly identity: string;
  /** Words of a shell that give a token of the development issuer. */
  readonly token: string;
}

/** For `client`; nothing in it is secret. */
export function connectionOf(
  client: ConnectableClient,
  dataDir: string,
  { origins }: Pick<StackState, 'origins'>,
  email = PLACEHOLDER,
): Connection {
  const all = environmentOf(dataDir, origins);
  const tls = Object.fromEntries(
    Object.entries(all).filter(([name]) => authorityVariables.some((one) => one === name)),
  );
  const place: Place = {
    file: (name) => quoted(join(resolve(dataDir), name)),
    origins,
    registry: new URL(origins.registry).host,
    email: quoted(email),
    identity: `--certificate-identity ${quoted(email)} --certificate-oidc-issuer ${origins.oidc}`,
    token: `"$(waybill stack token --email ${quoted(email)})"`,
  };
  const { variables = {}, ...rest } = ways[client](place);
  return { client, ...rest, variables: { ...tls, ...variables } };
}

type Way = (
  place: Place,
) => Omit<Connection, 'client' | 'variables'> & { readonly variables?: Connection['variables'] };

/** Clients that look for signatures under tags and want the log's promise. */
const SEES_TAGS = 'sign for it with --format both --log-version 1';

const NAME = 'waybill-stack';

/** Whoever signs, where nobody was named. */
const PLACEHOLDER = 'you@example.com';

const ways: Readonly<Record<ConnectableClient, Way>> = {
  cosign: ({ file, origins, registry, identity, token }) => ({
    about: 'sign, attest and verify images and files (cosign 3)',
    commands: [
      `cosign initialize --mirror ${origins.tuf} --root ${file(stackTrustFiles.tufRoot)}`,
      `cosign sign --yes --identity-token ${token} ${registry}/IMAGE@DIGEST`,
      `cosign verify ${identity} ${registry}/IMAGE@DIGEST`,
      `cosign sign-blob FILE --yes --identity-token ${token} --bundle FILE.sigstore.json`,
      `cosign verify-blob FILE --bundle FILE.sigstore.json ${identity}`,
    ],
  }),
  // By TUF, as cosign 3: a variable for a key holds one key, and a rotated stack has several.
  'cosign-2': ({ file, origins, registry, identity, token }) => ({
    about: 'the same with cosign 2 and its layout',
    commands: [
      `cosign initialize --mirror ${origins.tuf} --root ${file(stackTrustFiles.tufRoot)}`,
      `cosign sign --yes --fulcio-url ${origins.ca} --rekor-url ${origins.log} --identity-token ${token} ${registry}/IMAGE@DIGEST`,
      `cosign verify --rekor-url ${origins.log} ${identity} ${registry}/IMAGE@DIGEST`,
    ],
  }),
  'sigstore-go': ({ file, origins, email }) => ({
    about: 'verify bundles; the library reads the same root',
    commands: [
      `sigstore-go --trustedrootJSONpath ${file(stackTrustFiles.trustedRoot)} --expectedIssuer ${origins.oidc} ` +
        `--expectedSAN ${email} --artifact FILE FILE.sigstore.json`,
    ],
  }),
  'sigstore-js': ({ file, origins, email }) => ({
    about: 'sign and verify bundles; the library takes tufMirrorURL and tufRootPath',
    commands: [
      `sigstore attest STATEMENT --fulcio-url ${origins.ca} --rekor-url ${origins.log} --oidc-issuer ${origins.oidc} ` +
        `--tsa-server-url ${origins.tsa} --output-file STATEMENT.sigstore.json`,
      `sigstore verify STATEMENT.sigstore.json --tuf-mirror-url ${origins.tuf} ` +
        `--tuf-root-path ${file(stackTrustFiles.tufRoot)} --tuf-cache-path CACHE ` +
        `--certificate-identity-email ${email} --certificate-issuer ${origins.oidc}`,
    ],
  }),
  'sigstore-python': ({ file, origins, email, token }) => ({
    about: 'sign and verify files',
    commands: [
      `sigstore --trust-config ${file(stackTrustFiles.trustConfig)} sign --identity-token ${token} FILE`,
      `sigstore --trust-config ${file(stackTrustFiles.trustConfig)} verify identity FILE ` +
        `--cert-identity ${email} --cert-oidc-issuer ${origins.oidc}`,
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
  kyverno: () => ({
    about: `a ClusterPolicy that demands a signature of this stack; ${SEES_TAGS}`,
    commands: ['waybill stack connect kyverno | kubectl apply -f -'],
  }),
  'policy-controller': () => ({
    about: `a TrustRoot that follows this stack, and a ClusterImagePolicy; ${SEES_TAGS}`,
    commands: ['waybill stack connect policy-controller | kubectl apply -f -'],
  }),
  podman: ({ registry }) => ({
    about: `policy.json of podman, skopeo and CRI-O; ${SEES_TAGS}`,
    commands: [
      'waybill stack connect podman > /etc/containers/policy.json',
      `printf 'docker: {"%s": {use-sigstore-attachments: true}}\\n' ${registry} > /etc/containers/registries.d/${NAME}.yaml`,
    ],
  }),
  gh: ({ origins, email }) => ({
    about: 'the trusted root as JSON lines, for attestations with a bundle',
    commands: [
      'waybill stack connect gh > trusted_root.jsonl',
      `gh attestation verify FILE --bundle FILE.sigstore.json --custom-trusted-root trusted_root.jsonl ` +
        `--cert-identity ${email} --cert-oidc-issuer ${origins.oidc} --owner OWNER`,
    ],
  }),
  flux: () => ({
    about: `a Secret with the trusted root, and an OCIRepository that verifies by it; ${SEES_TAGS}`,
    commands: ['waybill stack connect flux | kubectl apply -f -'],
  }),
};

/** For `eval "$(waybill stack connect CLIENT)"`: exports, and the rest as comments. */
export function connectionText({ client, about, variables, commands }: Connection): string {
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const lines = commands.map((command) => (command.startsWith('#') ? command : `#   ${command}`));
  return [`# ${client}: ${about}`, ...exports, ...lines].join('\n');
}
