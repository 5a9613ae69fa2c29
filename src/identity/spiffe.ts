/**
 * One call of the SPIFFE Workload API: FetchJWTSVID (workloadapi.proto), gRPC over HTTP/2 on a Unix socket. The two
 * messages are small enough to be written and read here.
 */
import { connect as connectHttp2, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { concat, readUint, uintBytes, utf8, utf8Text } from '#base/bytes';

const PATH = '/SpiffeWorkloadAPI/FetchJWTSVID';
const ANSWER_BYTES_MAX = 256 * 1024;

/** The first JWT-SVID for `audience`, within `timeoutMs`. Throws an Error with the agent's words. */
export async function fetchJwtSvid(socketPath: string, audience: string, timeoutMs: number): Promise<string> {
  const { status, message, body } = await call(socketPath, frame(field(1, utf8(audience))), timeoutMs);
  if (status !== '0')
    throw new Error(`gRPC status ${status ?? 'none'}${message === '' ? '' : `: ${message}`}`);
  const [svid] = fieldsOf(unframe(body), 1);
  const [token] = svid === undefined ? [] : fieldsOf(svid, 2);
  if (token === undefined) throw new Error('the agent answered without a token');
  return utf8Text(token);
}

interface Answer {
  readonly status: string | undefined;
  readonly message: string;
  readonly body: Uint8Array;
}

function call(socketPath: string, body: Uint8Array, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socketPath) });
    const end = (error: Error | undefined, answer?: Answer): void => {
      clearTimeout(timer);
      session.destroy();
      if (answer !== undefined && error === undefined) resolve(answer);
      else reject(error ?? new Error('no answer'));
    };
    const timer = setTimeout(() => end(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    session.on('error', end);
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      // The agent refuses calls without it: a page in a browser cannot send it.
      'workload.spiffe.io': 'true',
    });
    const chunks: Uint8Array[] = [];
    let length = 0;
    let status: string | undefined;
    let message = '';
    const read = (headers: Readonly<Record<string, unknown>>): void => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
      if (headers['grpc-message'] !== undefined) message = String(headers['grpc-message']).slice(0, 300);
    };
    stream.on('response', read);
    stream.on('trailers', read);
    stream.on('data', (chunk: Uint8Array) => {
      length += chunk.length;
      if (length > ANSWER_BYTES_MAX) end(new Error('an answer that is too long'));
      else chunks.push(chunk);
    });
    stream.on('error', end);
    stream.on('end', () => end(undefined, { status, message, body: concat(...chunks) }));
    stream.end(body);
  });
}

/** A gRPC message: not compressed, length, bytes. */
const frame = (message: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0), uintBytes(message.length, 4), message);

function unframe(body: Uint8Array): Uint8Array {
  const length = body.length >= 5 ? readUint(body, 1, 4) : -1;
  if (body[0] !== 0 || length < 0 || body.length < 5 + length)
    throw new Error('an answer that is no message');
  return body.subarray(5, 5 + length);
}

const DELIMITED = 2;

/** A length-delimited protobuf field. */
const field = (number: number, value: Uint8Array): Uint8Array =>
  concat(varint((number << 3) | DELIMITED), varint(value.length), value);

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) out.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...out, rest]);
}

/** The values of a length-delimited field, in order; other fields are passed over. */
function fieldsOf(message: Uint8Array, number: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('an answer that is cut off');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error('an answer that is no message');
  };
  while (at < message.length) {
    const tag = next();
    const wire = tag & 7;
    if (wire === 0) next();
    else if (wire === DELIMITED) {
      const length = next();
      if (at + length > message.length) throw new Error('an answer that is cut off');
      if (tag >>> 3 === number) found.push(message.subarray(at, at + length));
      at += length;
    } else throw new Error('an answer that is no message');
  }
  return found;
}
