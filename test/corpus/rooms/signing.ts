/** The signing clients against services that answer with something else, and the authority against tokens. */
import { utf8 } from '#base/bytes';
import { FixedClock } from '#base/clock';
import { generateKey, sha256 } from '#base/crypto';
import { unwrap } from '#base/result';
import { hashedRekordV1Body, logEntryV1Json, parseRekorV1Request } from '#formats/rekor';
import type { TransparencyLogEntry } from '#formats/tlog-entry';
import { parseTrustedRoot, trustedRootJson } from '#formats/trusted-root';
import { buildTimeStampResponse, parseTimeStampRequest } from '#formats/tsp';
import type { HttpRequest, Transport } from '#platform/http-client';
import { systemRandom } from '#platform/system';
import { createSigner, tsaClient } from '#sign';
import { caFixture, token } from '../../services/ca-fixture.ts';
import type { Answer } from '../doors.ts';
import { ARTIFACT } from '../draft.ts';
import { logNamed, moment, stack } from '../world.ts';
import { accepted, outcome, type Room, reasonOf, refusedFor } from './room.ts';

/** A service that answers as told. */
function service(status: number, answer: (body: Uint8Array) => Uint8Array): Transport {
  return {
    request: async ({ body, url }: HttpRequest) => {
      if (!(body instanceof Uint8Array)) throw new Error('a request without body');
      return { status, headers: new Map(), body: answer(body), url };
    },
    stream: () => {
      throw new Error('nothing is streamed');
    },
  };
}

const wire = (transport: Transport) => ({
  transport,
  clock: new FixedClock(moment(0)),
  random: systemRandom,
});

function stampFor(lie: string, body: Uint8Array): Uint8Array {
  const asked = unwrap(parseTimeStampRequest(body));
  const nonce = { noNonce: undefined, otherNonce: Uint8Array.of(0x41, 1) }[lie];
  return buildTimeStampResponse(
    {
      hashName: 'sha256',
      hash: lie === 'otherImprint' ? sha256(utf8('other')) : asked.hash,
      policy: '1.3.6.1.4.1.57264.2',
      serial: Uint8Array.of(0x41),
      genTime: moment(60),
      accuracySeconds: 1,
      nonce: lie === 'noNonce' || lie === 'otherNonce' ? nonce : asked.nonce,
      signerCertificate: stack.tsa.certificate,
      certificates: [],
    },
    stack.tsa.key,
  );
}

const timestamped = (lie: string): Promise<Answer> =>
  outcome(() => {
    const transport = service(200, (body) => stampFor(lie, body));
    return tsaClient('https://tsa.example/api/v1/timestamp', wire(transport)).timestamp(utf8('signature'));
  });

/** The entry a Rekor v1 gives for a request, or another one. */
function entryFor(lie: string, body: Uint8Array): TransparencyLogEntry {
  const asked = unwrap(parseRekorV1Request(body));
  if (asked.kind !== 'hashedrekord') throw new Error('a message is signed');
  const { hash, verifier } = asked;
  const signature = lie === 'otherEntry' ? generateKey('p256').sign(ARTIFACT) : asked.signature;
  const log = lie === 'otherLog' ? logNamed('strange') : stack.rekorV1;
  const logged = hashedRekordV1Body({ hash, signature, verifier });
  return log.append('hashedrekord', '0.0.1', logged, moment(0));
}

/** A signer verifies what it is about to give out. */
const signedWith = (lie: string): Promise<Answer> =>
  outcome(() => {
    const transport = service(201, (body) =>
      utf8(JSON.stringify({ id: logEntryV1Json(entryFor(lie, body)) })),
    );
    const signer = createSigner({
      ...wire(transport),
      identity: { kind: 'key', key: generateKey('p256') },
      services: { logs: [{ url: 'https://rekor.virtual.example', version: 1 }], tsas: [] },
      trustedRoot: unwrap(parseTrustedRoot(trustedRootJson(stack.root))),
    });
    return signer.sign({ kind: 'message', bytes: ARTIFACT });
  });

/** What the authority answers to a token, through its HTTP door. */
async function certified(claims: object): Promise<Answer> {
  const { sign } = await caFixture();
  const answer = await sign(await token({ email_verified: undefined, ...claims }));
  const code = answer.json.details?.[0]?.reason;
  return code === undefined ? accepted : refusedFor(await reasonOf(code, answer.json.message ?? ''));
}

export const signingRoom: Room = {
  tsaAnswers: async ([, lie]) => ({
    twin: await timestamped('none'),
    answer: await timestamped(String(lie)),
  }),
  logAnswers: async ([, lie]) => ({ twin: await signedWith('none'), answer: await signedWith(String(lie)) }),
  tokenWith: async ([, claims]) => ({
    twin: await certified({ email_verified: true }),
    answer: await certified(claims as object),
  }),
};
