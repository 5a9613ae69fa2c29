/** The password of a key: from the environment, typed at a terminal, or piped in, as cosign takes it. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { utf8Text } from '#base/bytes';
import { fail } from '#base/reason';
import { Secret } from '#base/secret';
import type { CliContext } from './context.ts';
import { readInput } from './input.ts';
import { R } from './reasons.ts';

const PASSWORD_BYTES_MAX = 4096;

/** `COSIGN_PASSWORD`, which may be empty, or `WAYBILL_PASSWORD`; undefined when neither is set. */
export function passwordOf({ env }: CliContext): Secret | undefined {
  const password = env['COSIGN_PASSWORD'] ?? env['WAYBILL_PASSWORD'];
  return password === undefined ? undefined : new Secret(password);
}

/** For a key that is there: asked for at a terminal only, so that no pipeline hangs. */
export async function passwordToOpen(path: string, context: CliContext): Promise<Secret | undefined> {
  return passwordOf(context) ?? (context.isTerminal ? ask(`Enter password for ${path}: `) : undefined);
}

/** For a new key: typed twice, or what is piped in, byte for byte. WB-1305 when the two differ. */
export async function passwordToSet(context: CliContext): Promise<Secret> {
  const given = passwordOf(context);
  if (given !== undefined) return given;
  if (!context.isTerminal) return new Secret(utf8Text(await readInput('-', PASSWORD_BYTES_MAX)));
  const first = await ask('Enter password for private key: ');
  const second = await ask('Enter password for private key again: ');
  if (first.reveal() === second.reveal()) return first;
  throw fail(R.optionValue, { expected: 'the same password twice', actual: 'two different ones' });
}

/** Reads a line without showing it. */
export async function ask(prompt: string): Promise<Secret> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return new Secret(await lines.question(''));
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
