/**
 * The time of other machines: an SNTP client (RFC 5905 §14, client mode over UDP). It asks one server once, believes
 * nothing that does not answer what was asked, and sets no clock.
 */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { equalBytes } from '#base/bytes';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import { fail, type WaybillError } from '#base/reason';
import { R } from './reasons.ts';

/** Another clock to compare ours with. */
export interface TimeSource {
  /** For messages and metrics. */
  readonly name: string;
  /** Its time minus ours, in milliseconds. Throws WB-220 when it gives none that can be used. */
  offset(): Promise<number>;
}

export interface SntpOptions {
  readonly host: string;
  /** Default 123. */
  readonly port?: number;
  readonly clock: Clock;
  readonly random: Random;
  /** How long one answer may take. Default 2000. */
  readonly timeoutMs?: number;
}

const PORT = 123;
const TIMEOUT_MS = 2000;
const PACKET_BYTES = 48;
/** Leap indicator 0, version 4, mode 3: a client. */
const CLIENT = 0b00_100_011;
const SERVER_MODE = 4;
const ALARM = 3;
const STRATUM_MAX = 15;
/** RFC 5905 §11.1 MAXDIST: a server further from its own reference than this is of no use. */
const ROOT_DISTANCE_MS_MAX = 1500;
/** From 1900 to 1970. */
const NTP_TO_UNIX_S = 2_208_988_800;
const ERA_S = 2 ** 32;

export function sntpSource(options: SntpOptions): TimeSource {
  const { host, port = PORT } = options;
  const name = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { name, offset: () => ask({ ...options, port }, name) };
}

const useless = (name: string, actual: string, cause?: unknown): WaybillError =>
  fail(R.time, { expected: `the time of ${name}`, actual }, cause);

async function ask(options: SntpOptions & { readonly port: number }, name: string): Promise<number> {
  const { host, port, clock, random, timeoutMs = TIMEOUT_MS } = options;
  let socket: Socket | undefined;
  try {
    const { address, family } = await lookup(host);
    socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    // What the packet says of our time is random: it tells nothing of this machine, and only who saw it can answer.
    const cookie = random.bytes(8);
    const request = Buffer.alloc(PACKET_BYTES);
    request[0] = CLIENT;
    request.set(cookie, 40);
    const { answer, sent, received } = await exchange(socket, {
      port,
      address,
      request,
      cookie,
      clock,
      timeoutMs,
    });
    return offsetOf(answer, sent, received, name);
  } catch (error) {
    if (error instanceof Error && 'reason' in error) throw error;
    throw useless(name, error instanceof Error ? error.message : String(error), error);
  } finally {
    socket?.close();
  }
}

interface Exchange {
  readonly port: number;
  readonly address: string;
  readonly request: Uint8Array;
  readonly cookie: Uint8Array;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

interface Exchanged {
  readonly answer: Buffer;
  /** Our time when it was asked and when it answered. */
  readonly sent: number;
  readonly received: number;
}

function exchange(socket: Socket, options: Exchange): Promise<Exchanged> {
  const { port, address, request, cookie, clock, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    let sent = 0;
    const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    const end = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    socket.on('error', (error) => end(() => reject(error)));
    // Connected: the system drops what comes from another address.
    socket.connect(port, address, () => {
      sent = clock.now();
      socket.send(request);
    });
    socket.on('message', (answer) => {
      // An answer to something else is nobody's, and the right one may still come.
      if (answer.length < PACKET_BYTES || !equalBytes(answer.subarray(24, 32), cookie)) return;
      const received = clock.now();
      end(() => resolve({ answer, sent, received }));
    });
  });
}

/** RFC 5905 §8: half of what the clocks differ on the way there and on the way back. */
function offsetOf(answer: Buffer, sent: number, received: number, name: string): number {
  const head = answer[0] as number;
  const stratum = answer[1] as number;
  if ((head & 7) !== SERVER_MODE) throw useless(name, `a packet of mode ${head & 7}`);
  if (stratum === 0) {
    const code = answer.toString('latin1', 12, 16).replace(/[^A-Z]/g, '');
    throw useless(name, `a refusal to serve: ${code === '' ? 'no code' : code}`);
  }
  if (stratum > STRATUM_MAX || head >> 6 === ALARM) throw useless(name, 'a server that has no time itself');
  const distance = shortMs(answer, 4) / 2 + shortMs(answer, 8);
  if (distance > ROOT_DISTANCE_MS_MAX) {
    throw useless(name, `a server ${Math.round(distance)} ms from its reference`);
  }
  const [arrived, left] = [timeAt(answer, 32, received), timeAt(answer, 40, received)];
  if (arrived === undefined || left === undefined) throw useless(name, 'an answer without a time');
  if (left < arrived) throw useless(name, 'an answer that left before its question came');
  return (arrived - sent + (left - received)) / 2;
}

/** A duration of 16 bits of seconds and 16 of fraction, in milliseconds. */
const shortMs = (packet: Buffer, at: number): number => (packet.readUInt32BE(at) / 65_536) * 1000;

/** Milliseconds since 1970, in the era of NTP nearest to `near`; undefined for the zero that means none. */
function timeAt(packet: Buffer, at: number, near: number): number | undefined {
  const [seconds, fraction] = [packet.readUInt32BE(at), packet.readUInt32BE(at + 4)];
  if (seconds === 0 && fraction === 0) return undefined;
  const inFirstEra = seconds - NTP_TO_UNIX_S;
  const eras = Math.round((near / 1000 - inFirstEra) / ERA_S);
  return (inFirstEra + eras * ERA_S) * 1000 + (fraction / ERA_S) * 1000;
}
