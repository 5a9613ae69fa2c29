/** Tokens of machines and workloads: cloud metadata, SPIFFE, files that an orchestrator projects. */
import { existsSync } from 'node:fs';
import { utf8 } from '#base/bytes';
import { WaybillError } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere } from '#platform/files';
import { readClaims } from './claims.ts';
import {
  askFor,
  askText,
  type Provider,
  type ProviderQuestion,
  refusal,
  tokenFrom,
  tokenInFile,
} from './provider.ts';
import { fetchJwtSvid } from './spiffe.ts';

const GOOGLE_PRODUCT = '/sys/class/dmi/id/product_name';
const GOOGLE_METADATA = 'metadata.google.internal';
const ACCOUNT = '/computeMetadata/v1/instance/service-accounts/default';
const flavor = { 'metadata-flavor': 'Google' };

async function isOnGoogle(env: ProviderQuestion['env']): Promise<boolean> {
  if (env['GCE_METADATA_HOST']) return true;
  const name = await readFileIfThere(GOOGLE_PRODUCT).catch(() => undefined);
  return name !== undefined && Buffer.from(name).toString().startsWith('Google');
}

const metadataUrl = (env: ProviderQuestion['env'], path: string): string =>
  `http://${env['GCE_METADATA_HOST'] ?? GOOGLE_METADATA}${ACCOUNT}${path}`;

/** The metadata server of a machine, a container or Cloud Build; or another account by impersonation. */
export const google: Provider = {
  name: 'google',
  label: 'Google Cloud',
  setting:
    'give the machine a service account; for another one set GOOGLE_SERVICE_ACCOUNT_NAME and grant roles/iam.serviceAccountTokenCreator on it',
  find: async (question) => {
    const { env, audience } = question;
    const other = env['GOOGLE_SERVICE_ACCOUNT_NAME'];
    if (!(await isOnGoogle(env))) {
      if (!other) return undefined;
      throw refusal(google, 'the metadata server of Google Cloud', 'a machine elsewhere');
    }
    if (other) return impersonated(other, question);
    const query = new URLSearchParams({ audience, format: 'full' });
    const url = metadataUrl(env, `/identity?${query}`);
    return tokenFrom(google, await askText(google, question, { url, headers: flavor }));
  },
};

async function impersonated(account: string, question: ProviderQuestion) {
  const { env, audience } = question;
  const answer = await askText(google, question, { url: metadataUrl(env, '/token'), headers: flavor });
  const access = attempt(() => reader(unwrap(parseJson(answer)), 'answer').text('access_token'));
  if (!access.ok) throw refusal(google, 'an access token from the metadata server', 'something else');
  const base = env['WAYBILL_GOOGLE_IAM'] ?? 'https://iamcredentials.googleapis.com';
  return askFor(
    google,
    question,
    {
      url: `${base}/v1/projects/-/serviceAccounts/${encodeURIComponent(account)}:generateIdToken`,
      method: 'POST',
      headers: { authorization: `Bearer ${access.value}`, 'content-type': 'application/json' },
      body: utf8(JSON.stringify({ audience, includeEmail: true })),
    },
    'token',
  );
}

const SPIRE_SOCKET = '/tmp/spire-agent/public/api.sock';

/** The Workload API of SPIFFE on a Unix socket. */
export const spiffe: Provider = {
  name: 'spiffe',
  label: 'SPIFFE',
  setting: 'register the workload with its SPIFFE ID; SPIFFE_ENDPOINT_SOCKET names the socket of the agent',
  find: async ({ env, audience, timeoutMs }) => {
    const named = env['SPIFFE_ENDPOINT_SOCKET'];
    const path = (named || SPIRE_SOCKET).replace(/^unix:(?:\/\/)?/, '');
    if (!existsSync(path)) {
      if (!named) return undefined;
      throw refusal(spiffe, `a socket at ${path}`, 'none');
    }
    try {
      return tokenFrom(spiffe, await fetchJwtSvid(path, audience, timeoutMs));
    } catch (error) {
      if (error instanceof WaybillError) throw error;
      throw refusal(
        spiffe,
        `a JWT-SVID for ${audience}`,
        error instanceof Error ? error.message : 'a failure',
      );
    }
  },
};

/** A file some platforms project an identity token into, as cosign looks for it. */
const PROJECTED_TOKEN = '/var/run/sigstore/cosign/oidc-token';

/** A file that is named, or that is where cosign looks for it. */
export const filesystem: Provider = {
  name: 'filesystem',
  label: 'a token file',
  setting: 'name a file that holds one token and nothing else: WAYBILL_ID_TOKEN_FILE',
  find: async ({ env }) => {
    const named = env['WAYBILL_ID_TOKEN_FILE'];
    const token = await tokenInFile(filesystem, named || PROJECTED_TOKEN);
    if (token !== undefined || !named) return token;
    throw refusal(filesystem, `a token in ${named}`, 'no such file');
  },
};

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * The token of a pod's service account. The usual one is for the API server and no certificate authority takes
 * it; one for our audience is projected on request, here or where `filesystem` looks.
 */
export const kubernetes: Provider = {
  name: 'kubernetes',
  label: 'Kubernetes',
  setting:
    'project a token for the audience into the pod: volumes: projected: sources: serviceAccountToken: audience, at /var/run/sigstore/cosign/oidc-token or where WAYBILL_ID_TOKEN_FILE says',
  find: async ({ env, audience }) => {
    if (!env['KUBERNETES_SERVICE_HOST']) return undefined;
    const path = env['AZURE_FEDERATED_TOKEN_FILE'] ?? SERVICE_ACCOUNT_TOKEN;
    const token = await tokenInFile(kubernetes, path);
    if (token === undefined) throw refusal(kubernetes, `a token for ${audience} in ${path}`, 'no such file');
    const { audience: has } = readClaims(token);
    if (has.includes(audience)) return token;
    throw refusal(kubernetes, `a token for ${audience} in ${path}`, `one for ${has.join(', ')}`);
  },
};
