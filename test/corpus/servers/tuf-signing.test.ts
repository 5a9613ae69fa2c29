/** TUF-21: services somebody else chose for a signer, beside a trusted root that is right. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { generateKey } from '#base/crypto';
import { WaybillError } from '#base/reason';
import { createHttpServer, listen } from '#platform/http-server';
import { systemClock } from '#platform/system';
import { createLogger } from '#platform/telemetry';
import { createLog, registerLog } from '#services/log';
import { message, signerOf, startStack } from '../../stack/helper.ts';

const stack = await startStack();
const quiet = createLogger('test', 'silent');

for (const version of [1, 2] as const) {
  test(`TUF-21: an entry of a v${version} log that the trusted root does not have is not given out`, async () => {
    const api = `v${version}` as const;
    const service = await createLog({
      ...{ api, hostname: '127.0.0.1', clock: systemClock, log: quiet },
      key: generateKey(version === 1 ? 'p256' : 'ed25519'),
    });
    const app = createHttpServer({ log: quiet, bodyBytesMax: 1024 * 1024 });
    registerLog(app, service, quiet);
    after(async () => {
      await app.close();
      await service.close();
    });
    const url = await listen(app, '127.0.0.1', 0);
    const { ca, tsa } = stack.origins;
    const services = { ca, logs: [{ url, version }], tsas: [`${tsa}/api/v1/timestamp`] } as const;
    const email = 'ada@example.com';
    const identity = { kind: 'token', token: () => stack.mint({ sub: email, email }) } as const;
    const signing = signerOf(stack, identity, { services, logVersion: version }).sign(message('x'));
    await assert.rejects(signing, (error) => {
      assert.ok(error instanceof WaybillError);
      assert.equal(error.reason.code, 'WB-815');
      return true;
    });
    assert.equal(service.log.tree.size, 1, 'the log was asked, and what it said was judged');
  });
}
