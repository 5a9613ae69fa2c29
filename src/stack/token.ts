/** Asks the development issuer of a running stack for a token. */
import { utf8, utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { Secret } from '#base/secret';
import { parseJson, reader } from '#formats/json';
import type { Transport } from '#platform/http-client';
import type { Origins } from './layout.ts';
import { R } from './reasons.ts';

/** `request` is the body of `POST /token` (see the README of the service). Throws WB-1204. */
export async function fetchDevelopmentToken(
  origins: Origins,
  request: object,
  transport: Transport,
): Promise<Secret> {
  const url = `${origins.oidc}/token`;
  const answer = await transport.request({ url, method: 'POST', body: utf8(JSON.stringify(request)) });
  const read = attempt(() => reader(unwrap(parseJson(answer.body))).text('id_token'));
  if (answer.status === 200 && read.ok) return new Secret(read.value);
  const actual = `status ${answer.status}: ${utf8Text(answer.body.subarray(0, 300))}`;
  throw fail(R.token, { expected: `a token from ${url}`, actual });
}
