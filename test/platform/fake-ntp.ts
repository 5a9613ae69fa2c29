/** A server of time on loopback that answers as it is told, by the layout of RFC 5905 figure 8. */
import { createSocket } from 'node:dgram';

export interface NtpLie {
  /** Its time minus ours, in milliseconds. */
  readonly offsetMs?: number;
  readonly mode?: number;
  readonly stratum?: number;
  readonly leap?: number;
  /** The four letters of a kiss, with stratum 0. */
  readonly kiss?: string;
  readonly rootDispersionMs?: number;
  readonly isSilent?: boolean;
  /** Answers to something else first. */
  readonly isForged?: boolean;
  readonly isTimeless?: boolean;
  readonly isBackwards?: boolean;
  readonly bytes?: number;
}

export interface FakeNtp {
  readonly port: number;
  lie: NtpLie;
  readonly asked: Buffer[];
  close(): Promise<void>;
}

const TO_NTP_S = 2_208_988_800;

/** `now`: what it takes for our time. */
export async function fakeNtp(now: () => number, lie: NtpLie = {}): Promise<FakeNtp> {
  const socket = createSocket('udp4');
  const asked: Buffer[] = [];
  const server = {
    port: 0,
    lie,
    asked,
    close: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  };
  socket.on('message', (request, from) => {
    asked.push(request);
    const { isSilent, isForged } = server.lie;
    if (isSilent === true) return;
    const answer = answerTo(request, now(), server.lie);
    if (isForged === true) {
      const forged = answerTo(request, now() + 3_600_000, server.lie);
      forged[24] = (forged[24] as number) ^ 1;
      socket.send(forged, from.port, from.address);
    }
    socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  server.port = socket.address().port;
  return server;
}

function answerTo(request: Buffer, ours: number, lie: NtpLie): Buffer {
  const packet = Buffer.alloc(lie.bytes ?? 48);
  if (packet.length < 48) return packet;
  packet[0] = ((lie.leap ?? 0) << 6) | (4 << 3) | (lie.mode ?? 4);
  packet[1] = lie.stratum ?? 2;
  packet.writeUInt32BE(Math.round(((lie.rootDispersionMs ?? 5) / 1000) * 65_536), 8);
  packet.write(lie.kiss ?? '', 12, 'latin1');
  request.copy(packet, 24, 40, 48);
  if (lie.isTimeless === true) return packet;
  const theirs = ours + (lie.offsetMs ?? 0);
  writeTime(packet, 32, theirs);
  writeTime(packet, 40, theirs - (lie.isBackwards === true ? 5000 : 0));
  return packet;
}

function writeTime(packet: Buffer, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000);
  packet.writeUInt32BE((((seconds + TO_NTP_S) % 2 ** 32) + 2 ** 32) % 2 ** 32, at);
  packet.writeUInt32BE(Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32), at + 4);
}
