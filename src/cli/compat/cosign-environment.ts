/** The variables `cosign env` lists: what each is for here, and whether its value is a secret. */

interface Variable {
  readonly name: string;
  readonly about: string;
  readonly expects: string;
  readonly isSecret?: true;
}

const variable = (name: string, about: string, expects: string): Variable => ({ name, about, expects });
const secret = (name: string, about: string, expects: string): Variable => ({
  name,
  about,
  expects,
  isSecret: true,
});
const unused = 'is not read by waybill';

/** In cosign's order. */
const variables: readonly Variable[] = [
  secret('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'allows a job on GitHub to ask for its token', 'a bearer token'),
  variable('ACTIONS_ID_TOKEN_REQUEST_URL', 'is where a job on GitHub asks for its token', 'a URL'),
  secret('BUILDKITE_AGENT_ACCESS_TOKEN', 'allows a job on Buildkite to ask for its token', 'an access token'),
  variable('BUILDKITE_AGENT_ENDPOINT', 'is where a job on Buildkite asks for its token', 'an endpoint'),
  variable('BUILDKITE_AGENT_LOG_LEVEL', unused, 'a log level'),
  variable('BUILDKITE_JOB_ID', 'is the job a token on Buildkite names', 'a job id'),
  variable('COSIGN_DOCKER_MEDIA_TYPES', 'writes Docker media types under tags of the older layout', '1 or 0'),
  variable('COSIGN_EXPERIMENTAL', unused, '1 or 0'),
  variable(
    'COSIGN_MAX_ATTACHMENT_SIZE',
    'is the largest attachment that is read, 128 MiB by default',
    'a size',
  ),
  secret('COSIGN_PASSWORD', 'opens the private key file', 'a password'),
  variable('COSIGN_PKCS11_IGNORE_CERTIFICATE', unused, '1 or 0'),
  variable('COSIGN_PKCS11_MODULE_PATH', unused, 'a path'),
  secret('COSIGN_PKCS11_PIN', unused, 'a PIN'),
  variable('COSIGN_REPOSITORY', 'keeps signatures in another repository', 'a repository'),
  variable('GITHUB_HOST', unused, 'a URL'),
  secret('GITHUB_TOKEN', 'opens ghcr.io with --k8s-keychain', 'a token'),
  variable('GITLAB_HOST', unused, 'a URL'),
  secret('GITLAB_TOKEN', unused, 'a token'),
  variable('GOOGLE_SERVICE_ACCOUNT_NAME', unused, 'a name'),
  variable(
    'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
    'is the key of the CT log, instead of a trusted root',
    'a file',
  ),
  secret('SIGSTORE_ID_TOKEN', 'is the OIDC token to sign with', 'a token'),
  variable(
    'SIGSTORE_REKOR_PUBLIC_KEY',
    'is the key of the transparency log, instead of a trusted root',
    'a file',
  ),
  variable('SIGSTORE_ROOT_FILE', 'holds the certificates of the CA, instead of a trusted root', 'a file'),
  variable(
    'SIGSTORE_TSA_CERTIFICATE_FILE',
    'holds the certificates of the TSA, instead of a trusted root',
    'a file',
  ),
  variable('SOURCE_DATE_EPOCH', 'is the time in what is written', 'seconds since 1970'),
  variable('SPIFFE_ENDPOINT_SOCKET', unused, 'a socket'),
  variable('TUF_MIRROR', 'is the TUF repository to take the trusted root from', 'a URL'),
  variable('TUF_ROOT', 'is the folder of `cosign initialize`', 'a folder'),
  variable('TUF_ROOT_JSON', 'is the TUF root to start from', 'a file'),
];

interface Shown {
  readonly showDescriptions: boolean;
  readonly showSensitiveValues: boolean;
}

export function environmentText(env: Readonly<Record<string, string | undefined>>, shown: Shown): string {
  return variables
    .flatMap(({ name, about, expects, isSecret }) => {
      const value = env[name] ?? '';
      const isHidden = isSecret === true && value !== '' && !shown.showSensitiveValues;
      const described = shown.showDescriptions ? [`# ${name} ${about}`, `# Expects: ${expects}`] : [];
      return [...described, `${name}=${isHidden ? '******' : value}`];
    })
    .join('\n');
}
