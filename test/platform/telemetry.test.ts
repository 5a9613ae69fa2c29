import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import { R } from '#platform/reasons';
import { createLogger } from '#platform/telemetry';

function lineOf(fields: object, message = 'said'): string {
  let line = '';
  const log = createLogger('test', 'info', {
    write: (text: string) => {
      line += text;
    },
  });
  log.info(fields, message);
  return line;
}

const names = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'token',
  'identityToken',
  'password',
  'passphrase',
];

test('a secret under its usual names never reaches a log line, as deep as request objects are', () => {
  for (const name of names) {
    for (const fields of [
      { [name]: 'hush' },
      { headers: { [name]: 'hush' } },
      { request: { headers: { [name]: 'hush' } } },
    ]) {
      const line = lineOf(fields);
      assert.doesNotMatch(line, /hush/, name);
      assert.match(line, /\[secret\]/, name);
    }
  }
});

test('a secret by its type is one under any name and at any depth', () => {
  const line = lineOf({ a: { b: { c: { d: new Secret('hush') } } }, list: [new Secret('hush')] });
  assert.doesNotMatch(line, /hush/);
});

test('a line is one JSON object that names its service; a reason keeps its code', () => {
  const error = fail(R.timeout, { expected: 'an answer', actual: 'none' });
  const line = JSON.parse(lineOf({ err: error })) as { service: string; err: { message: string } };
  assert.equal(line.service, 'test');
  assert.match(line.err.message, /^WB-202 /);
});
