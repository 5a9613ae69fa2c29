import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Secret } from '#base/secret';
import { buildManifest, emptyDescriptor } from '#formats/oci';
import { type Credential, type CredentialSource, fixedCredential } from '#oci';
import { type HttpRequest, httpTransport, type Transport } from '#platform/http-client';
import { parseChallenges } from '../../src/oci/challenge.ts';
import { isPrivate, isTrustedRealm } from '../../src/oci/hosts.ts';
import { quickRegistry, reasonOf } from './helpers.ts';

const manifest = buildManifest({ config: emptyDescriptor, layers: [] });
const basic: Credential = { kind: 'basic', username: 'me', password: new Secret('pass:word') };

interface Seen {
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

/** A registry that wants a token from its own token server. */
async function tokenRegistry(
  answerToken: (request: IncomingMessage, response: ServerResponse) => void,
  challenge?: (host: string) => string,
) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { authorization } = request.headers;
      seen.push({ url: request.url ?? '', authorization, body });
      if (request.url?.startsWith('/token')) return answerToken(request, response);
      if (authorization === 'Bearer good' || authorization === 'Basic bWU6cGFzczp3b3Jk') {
        response.setHeader('content-type', manifest.mediaType);
        return void response.end(manifest.bytes);
      }
      const host = request.headers.host ?? '';
      const text = challenge?.(host) ?? `Bearer realm="http://${host}/token",service="reg"`;
      response.writeHead(401, { 'www-authenticate': text });
      return void response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { host, seen, [Symbol.asyncDispose]: close };
}

const giveToken = (_: IncomingMessage, response: ServerResponse): void =>
  void response.end('{"token":"good"}');

const resolveAt = (host: string, credentials?: CredentialSource, transport: Transport = httpTransport()) =>
  quickRegistry({ transport, ...(credentials === undefined ? {} : { credentials }) })
    .repository({ registry: host, repository: 'team/app' })
    .resolve({ tag: 'v1' });

test('a token is fetched with the credentials and the scope, and used again', async () => {
  await using registry = await tokenRegistry(giveToken);
  const client = quickRegistry({ credentials: fixedCredential(registry.host, basic) });
  const repository = client.repository({ registry: registry.host, repository: 'team/app' });
  await repository.resolve({ tag: 'v1' });
  await repository.resolve({ tag: 'v2' });
  const token = registry.seen.filter((one) => one.url.startsWith('/token'));
  assert.equal(token.length, 1);
  assert.equal(token[0]?.url, '/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull');
  assert.equal(token[0]?.authorization, 'Basic bWU6cGFzczp3b3Jk');
  assert.equal(registry.seen.length, 4);
});

test('without credentials a token is asked for anonymously', async () => {
  await using registry = await tokenRegistry(giveToken);
  assert.equal((await resolveAt(registry.host)).digest, manifest.digest);
  assert.equal(registry.seen[1]?.authorization, undefined);
});

test('an identity token is exchanged with POST', async () => {
  await using registry = await tokenRegistry((_, response) => response.end('{"access_token":"good"}'));
  const credential: Credential = { kind: 'identityToken', token: new Secret('refresh me') };
  await resolveAt(registry.host, fixedCredential(registry.host, credential));
  const form = new URLSearchParams(registry.seen[1]?.body);
  assert.equal(form.get('grant_type'), 'refresh_token');
  assert.equal(form.get('refresh_token'), 'refresh me');
  assert.equal(form.get('scope'), 'repository:team/app:pull');
});

test('a registry token is sent as it is', async () => {
  await using registry = await tokenRegistry(giveToken);
  const credential: Credential = { kind: 'bearer', token: new Secret('good') };
  await resolveAt(registry.host, fixedCredential(registry.host, credential));
  assert.ok(registry.seen.every((one) => !one.url.startsWith('/token')));
});

test('basic authentication is answered with the credentials', async () => {
  await using registry = await tokenRegistry(giveToken, () => 'Basic realm="x"');
  await resolveAt(registry.host, fixedCredential(registry.host, basic));
  assert.equal(registry.seen.at(-1)?.authorization, 'Basic bWU6cGFzczp3b3Jk');
});

test('credentials of one registry are never sent to another', async () => {
  await using registry = await tokenRegistry(giveToken, () => 'Basic realm="x"');
  const why = await reasonOf(resolveAt(registry.host, fixedCredential('other.example', basic)));
  assert.equal(why.code, 'WB-501');
  assert.ok(registry.seen.every((one) => one.authorization === undefined));
});

test('a refused token is an authentication failure with its exit code', async () => {
  await using registry = await tokenRegistry((_, response) => void response.writeHead(401).end());
  const why = await reasonOf(resolveAt(registry.host, fixedCredential(registry.host, basic)));
  assert.equal(why.code, 'WB-501');
  assert.equal(why.exit, 21);
});

test('a token server that answers null is refused like one that answers no token', async () => {
  await using registry = await tokenRegistry((_, response) => response.end('null'));
  const why = await reasonOf(resolveAt(registry.host));
  assert.equal(why.code, 'WB-506');
  assert.match(why.hint, /--registry-auth-host$/);
});

for (const token of ['a\r\nx-evil: 1', 'a b', '', 'x'.repeat(20_000), 7]) {
  test(`a token server that answers ${JSON.stringify(token).slice(0, 20)} is refused`, async () => {
    await using registry = await tokenRegistry((_, response) => response.end(JSON.stringify({ token })));
    assert.equal((await reasonOf(resolveAt(registry.host))).code, 'WB-506');
  });
}

for (const realm of ['https://thief.example/token', 'http://thief.example/token', 'file:///x', 'nonsense']) {
  test(`no credential is sent to a token server at ${realm}`, async () => {
    await using registry = await tokenRegistry(giveToken, () => `Bearer realm="${realm}"`);
    const sent: HttpRequest[] = [];
    const real = httpTransport();
    const transport: Transport = {
      request: (request) => {
        sent.push(request);
        return real.request(request);
      },
      stream: (request) => real.stream(request),
    };
    const why = await reasonOf(resolveAt(registry.host, fixedCredential(registry.host, basic), transport));
    assert.equal(why.code, 'WB-506');
    assert.ok(sent.every((request) => request.url.includes(registry.host)));
  });
}

for (const realm of ['https://169.254.169.254/token', 'https://10.0.0.1/token', 'https://[::1]/token']) {
  test(`a public registry cannot send us to ${realm}, with credentials or without`, async () => {
    const sent: string[] = [];
    const headers = new Map([['www-authenticate', `Bearer realm="${realm}"`]]);
    const transport: Transport = {
      request: async ({ url }) => {
        sent.push(url);
        return { status: 401, headers, body: new Uint8Array(), url };
      },
      stream: () => assert.fail('nothing is streamed'),
    };
    const why = await reasonOf(resolveAt('registry.example', undefined, transport));
    assert.equal(why.code, 'WB-506');
    assert.ok(sent.every((url) => url.startsWith('https://registry.example/')));
  });
}

test('token servers are trusted by host, parent domain and list, only over https', () => {
  const trusted: readonly (readonly [string, string, boolean])[] = [
    ['https://auth.docker.io/token', 'docker.io', true],
    ['https://auth.docker.io.evil.example/token', 'docker.io', false],
    ['https://ghcr.io/token', 'ghcr.io', true],
    ['http://ghcr.io/token', 'ghcr.io', false],
    ['https://gitlab.example/jwt/auth', 'registry.gitlab.example', true],
    ['https://evil.example/jwt', 'registry.gitlab.example', false],
    ['https://io/token', 'ghcr.io', false],
    ['https://listed.example/token', 'ghcr.io', true],
  ];
  for (const [realm, registry, expected] of trusted) {
    assert.equal(isTrustedRealm(new URL(realm), registry, ['listed.example']), expected, realm);
  }
});

test('private addresses are known in every spelling a URL can have', () => {
  const addresses = ['10.1.2.3', '2130706433', '0x7f.1', '172.20.0.1', '192.168.1.1', '100.64.0.1', '[::1]'];
  addresses.push('[fd00::1]', '[fe80::1]', '[::ffff:10.0.0.1]', 'localhost', 'a.localhost', '0.0.0.0');
  for (const address of addresses) assert.ok(isPrivate(new URL(`http://${address}/`).host), address);
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', 'registry.example', '[2001:db8::1]']) {
    assert.ok(!isPrivate(new URL(`http://${address}/`).host), address);
  }
});

test('challenges are read with quotes, escapes, several schemes', () => {
  const read = parseChallenges('Negotiate, Bearer realm="https://a/\\"x", service=reg, Basic realm="b, c"');
  assert.deepEqual(
    read.map((c) => [c.scheme, ...c.parameters.values()]),
    [
      ['bearer', 'https://a/"x', 'reg'],
      ['basic', 'b, c'],
    ],
  );
  assert.deepEqual(parseChallenges(''), []);
});
