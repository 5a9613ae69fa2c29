/**
 * Registries behind TLS of one's own: an authority, a name in the certificate that is another, a client that has to show
 * who it is. What the real cosign reaches with its flags `waybill cosign` reaches, and what it does not, neither does.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { extensionOf, extKeyUsage } from '#formats/x509-build';
import { startStack, temporaryFolder } from '../stack/helper.ts';
import { requirePeer } from './cache.ts';
import { authority, certified, pem } from './own-pki.ts';
import { pushImage, type Ran, runProgram } from './stack-image.ts';

const binary = requirePeer('cosign');
const stack = await startStack();
const home = await temporaryFolder();
const { origins, registryHost, dataDir } = stack;
const at = (name: string): string => join(home, name);
const env = { HOME: home, COSIGN_PASSWORD: 'secret' };
const run = {
  theirs: (args: readonly string[]): Promise<Ran> => runProgram(binary, args, env),
  ours: (args: readonly string[]): Promise<Ran> =>
    runProgram(resolve('bin/waybill'), ['cosign', ...args], env),
};

const root = authority('Registry Root');
const client = certified({
  name: 'client',
  by: root,
  extensions: [extensionOf.keyUsage('digitalSignature'), extensionOf.extKeyUsage([extKeyUsage.clientAuth])],
});
/** Its certificate names another host than the one it is reached by. */
const server = certified({
  name: 'registry',
  by: root,
  extensions: [
    extensionOf.keyUsage('digitalSignature'),
    extensionOf.extKeyUsage([extKeyUsage.serverAuth]),
    extensionOf.subjectAltName([{ type: 'dns', value: 'registry.example' }]),
  ],
});

const proxy = createServer(
  {
    cert: pem(server, root),
    key: server.key.exportPem(),
    ca: pem(root),
    requestCert: true,
    rejectUnauthorized: true,
  },
  (incoming, outgoing) => {
    const target = { host: '127.0.0.1', port: registryHost.split(':')[1], path: incoming.url };
    const onward = request(
      { ...target, method: incoming.method, headers: { ...incoming.headers, host: registryHost } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  },
);
proxy.listen(0, '127.0.0.2');
const port = await new Promise<number>((ready) => {
  proxy.on('listening', () => ready((proxy.address() as AddressInfo).port));
});
after(() => void proxy.close());

const older = [
  '--new-bundle-format=false',
  '--use-signing-config=false',
  '--rekor-url',
  origins.log,
  '--yes',
];
const pub = ['--key', at('cosign.pub'), '--trusted-root', join(dataDir, 'public', 'trusted_root.json')];
const pushed = await pushImage(registryHost, 'tls/app', 'app');
const image = pushed.replace(registryHost, `127.0.0.2:${port}`);

before(async () => {
  await writeFile(at('root.pem'), pem(root));
  await writeFile(at('client.pem'), pem(client));
  await writeFile(at('client.key'), client.key.exportPem());
  await writeFile(at('other.key'), generateKey('p256').exportPem());
  await run.theirs(['generate-key-pair', '--output-key-prefix', at('cosign')]);
});

const shown = ['--registry-client-cert', at('client.pem'), '--registry-client-key', at('client.key')];
const named = ['--registry-server-name', 'registry.example'];
const believed = ['--registry-cacert', at('root.pem')];

describe('a registry that asks who connects', () => {
  test('both sign and verify there', async () => {
    const reach = [...believed, ...shown, ...named];
    for (const tool of ['ours', 'theirs'] as const) {
      const signed = await run[tool]([
        'sign',
        '--key',
        at('cosign.key'),
        ...older,
        ...pub.slice(2),
        ...reach,
        image,
      ]);
      assert.equal(signed.code, 0, `${tool}: ${signed.stderr}`);
    }
    for (const tool of ['ours', 'theirs'] as const) {
      const verified = await run[tool](['verify', ...pub, ...reach, image]);
      assert.equal(verified.code, 0, `${tool}: ${verified.stderr}`);
    }
  });

  for (const [about, args] of [
    ['no certificate of the client', [...believed, ...named]],
    ['another name', [...believed, ...shown]],
    ['an authority nobody believes', [...shown, ...named]],
    ['any certificate of the server', ['--allow-insecure-registry', ...shown]],
    ['the key of another certificate', [...believed, ...named, ...shown.with(3, at('other.key'))]],
    ['a certificate without its key', [...believed, ...named, ...shown.slice(0, 2)]],
    ['no such file', [...believed, ...named, ...shown.with(1, at('none'))]],
  ] as const) {
    test(about, async () => {
      const words = ['verify', ...pub, ...args, image];
      const [theirs, ours] = [await run.theirs(words), await run.ours(words)];
      assert.equal(ours.code === 0, theirs.code === 0, `${ours.stderr}\ncosign: ${theirs.stderr}`);
    });
  }
});
