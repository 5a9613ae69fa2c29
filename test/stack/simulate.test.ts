/** A stack that plays GitHub: certificates with GitHub's issuer, made here, marked, and refused elsewhere. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { parseBundle } from '#formats/bundle';
import { detectToken } from '#identity';
import type { HttpRequest, Transport } from '#platform/http-client';
import { redirected, SIMULATED_ISSUER, type Stack } from '#stack';
import { isSimulated, loadTrust, pinRoot, refuseSimulated, stackSimulation, stackTrustFiles } from '#trust';
import { reasonOf } from '../oci/helpers.ts';
import { message, signerOf, startStack, temporaryFolder, trustedRootOf, wire } from './helper.ts';

const workflow = { repository: 'acme/api', ref: 'refs/tags/v1.4.2', sha: 'ab'.repeat(20) };
const simulated = await startStack({ simulate: 'github' });

/** What `POST /token` answers; the claims name the workflow. */
async function minted(stack: Stack, aud?: string): Promise<string> {
  const answer = await fetch(`${stack.origins.oidc}/token`, {
    method: 'POST',
    body: JSON.stringify({ github: workflow, ...(aud === undefined ? {} : { aud }) }),
  });
  return ((await answer.json()) as { id_token: string }).id_token;
}

const actions = (stack: Stack, bearer: string): Promise<Secret | undefined> =>
  detectToken({
    env: {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${stack.origins.oidc}/actions/token`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer,
    },
    transport: wire.transport,
  });

test('a certificate carries exactly GitHub’s issuer and claims, for a token that came from here', async () => {
  const token = await actions(simulated, await minted(simulated, 'waybill-actions-request'));
  assert.ok(token !== undefined);
  const signed = await signerOf(simulated, { kind: 'token', token }).sign(message('content'));
  const { material } = unwrap(parseBundle(signed.bundle));
  assert.ok(material.kind === 'certificate');
  const { fulcio, sans, issuerText } = material.certificate;
  assert.equal(fulcio.issuer, 'https://token.actions.githubusercontent.com');
  assert.equal(sans[0]?.value, 'https://github.com/acme/api/.github/workflows/release.yml@refs/tags/v1.4.2');
  assert.equal(fulcio.githubWorkflowRef, 'refs/tags/v1.4.2');
  assert.equal(fulcio.sourceRepositoryDigest, workflow.sha);
  assert.match(issuerText, /SIMULATED/);
});

test('a request token is no identity token, and an identity token is no request token', async () => {
  const request = new Secret(await minted(simulated, 'waybill-actions-request'));
  // The client is told to look for that audience, so that the authority is the one that refuses.
  const audience = 'waybill-actions-request';
  const signer = signerOf(simulated, { kind: 'token', token: request, audience });
  const refused = await reasonOf(signer.sign(message('x')));
  assert.deepEqual([refused.code, refused.actual.includes('audience')], ['WB-810', true]);
  const answer = await fetch(`${simulated.origins.oidc}/actions/token`, {
    headers: { authorization: `bearer ${await minted(simulated)}` },
  });
  assert.equal(answer.status, 401);
  assert.equal(((await answer.json()) as { code: string }).code, 'WB-1075');
});

test('a request token of another stack is refused', async () => {
  const other = await startStack({ simulate: 'github' });
  const why = await reasonOf(actions(simulated, await minted(other, 'waybill-actions-request')));
  assert.deepEqual([why.code, why.actual.slice(0, 19)], ['WB-624', 'status 401: WB-1075']);
});

test('the real issuer is never asked: its name is looked up here, everything else where it is', async () => {
  const asked: string[] = [];
  const note = async (request: HttpRequest): Promise<never> => {
    asked.push(request.url);
    throw new Error('no network in this test');
  };
  const transport: Transport = redirected(
    { request: note, stream: note },
    SIMULATED_ISSUER,
    () => 'http://127.0.0.1:1/github',
  );
  const urls = [
    `${SIMULATED_ISSUER}/keys`,
    SIMULATED_ISSUER,
    `${SIMULATED_ISSUER}.evil.example/keys`,
    'https://issuer.example/keys',
  ];
  for (const url of urls) await transport.request({ url }).catch(() => {});
  assert.deepEqual(asked, ['http://127.0.0.1:1/github/keys', 'http://127.0.0.1:1/github', ...urls.slice(2)]);
});

test('the state says what is simulated and where images lie; an ordinary stack says nothing', async () => {
  const found = await stackSimulation(simulated.dataDir);
  assert.equal(found?.provider, 'github');
  assert.deepEqual(found?.mirrors, [{ from: 'ghcr.io/acme/*', to: `${simulated.registryHost}/acme/*` }]);
  const plain = await startStack();
  assert.equal(await stackSimulation(plain.dataDir), undefined);
  assert.equal(isSimulated(trustedRootOf(plain)), false);
  assert.equal(JSON.parse(await readFile(join(plain.dataDir, 'stack.json'), 'utf8')).simulate, undefined);
});

test('its trusted root is refused by whoever others rely on, wherever the file was taken', async () => {
  const trustedRoot = join(simulated.dataDir, stackTrustFiles.trustedRoot);
  const trust = await loadTrust({ kind: 'file', trustedRoot }, wire);
  assert.equal((await reasonOf(async () => refuseSimulated(trust.trustedRoot, 'a file'))).code, 'WB-610');
  const root = join(simulated.dataDir, stackTrustFiles.tufRoot);
  const source = {
    kind: 'tuf',
    mirror: simulated.origins.tuf,
    root,
    cacheDir: await temporaryFolder(),
  } as const;
  assert.equal((await reasonOf(pinRoot(source, wire))).code, 'WB-610');
});

test('a data directory stays what it was made as', async () => {
  const dataDir = join(await temporaryFolder(), 'data');
  const first = await startStack({ dataDir, simulate: 'github' });
  await first.close();
  const why = await reasonOf(startStack({ dataDir }));
  assert.deepEqual([why.code, why.expected, why.actual], ['WB-1206', '--simulate github', 'no --simulate']);
  const plainDir = join(await temporaryFolder(), 'data');
  await (await startStack({ dataDir: plainDir })).close();
  assert.equal((await reasonOf(startStack({ dataDir: plainDir, simulate: 'github' }))).code, 'WB-1206');
  await startStack({ dataDir, simulate: 'github' });
});
