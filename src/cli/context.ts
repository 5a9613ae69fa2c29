/** What a command gets from the edge: streams, environment, time, network. Built once in main. */
import { homedir } from 'node:os';
import type { Clock } from '#base/clock';
import type { Random } from '#base/random';
import {
  type ClientFiles,
  httpTransport,
  type Transport,
  type TransportOptions,
} from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { plainText } from './render/plain.ts';
import { standardStream, type WriteError } from './standard-streams.ts';

export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  /** True with `--json`: the result on stdout is one JSON object that names its schema, also on failure. */
  readonly json: boolean;
  /** Whether standard error is a terminal: progress may rewrite its line. */
  readonly isTerminal: boolean;
  readonly useColor: boolean;
  /** Results only. A string gets a newline when it has none. */
  stdout(text: string | Uint8Array): void;
  /** Everything that is not the result. */
  stderr(text: string): void;
  /** A line about work under way; silent with `--quiet`. */
  progress(text: string): void;
  /** Prints the result: the object with its schema under `--json`, else the text. */
  result(schema: string, value: object, text: () => string): void;
  /** Authorities of servers that are believed beside the system's, PEM; before the first request. */
  believe?(caFile: string): void;
  /** The certificate that servers which ask are shown (not registries); before the first request. */
  identify?(client: ClientFiles): void;
  /** A transport of its own for one server: another identity, authority or name, or anybody's certificate. */
  transportFor(tls: ServerTls): Transport;
  /** Sets the exit code of the process; the action then returns normally. */
  exit(code: number): void;
}

export type ServerTls = Pick<
  TransportOptions,
  'client' | 'serverName' | 'trustsAnyServerUnsafe' | 'onlyCaFile'
>;

export interface ContextOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly version: string;
  /** Told once when a result cannot be written; not of a reader that left. */
  readonly lost?: (error: WriteError) => void;
}

export function processContext(options: ContextOptions): CliContext {
  const output = standardStream(1, (error) => options.lost?.(error));
  // What cannot be said cannot be said anywhere else either.
  const messages = standardStream(2, () => {});
  const stdout = (text: string | Uint8Array): void => {
    output.write(typeof text === 'string' && !text.endsWith('\n') ? `${text}\n` : text);
  };
  const stderr = (text: string): void => messages.write(text.endsWith('\n') ? text : `${text}\n`);
  // As other clients read it: authorities of one's own servers.
  const caFiles = [process.env['SSL_CERT_FILE']].filter((path): path is string => Boolean(path));
  let client: ClientFiles | undefined;
  const usual = { userAgent: `waybill/${options.version}`, caFile: caFiles };
  return {
    env: environment(),
    cwd: process.cwd(),
    transport: httpTransport({ ...usual, client: () => client }),
    believe: (path) => void caFiles.push(path),
    identify: (files) => {
      client = files;
    },
    transportFor: (tls) => httpTransport({ ...usual, ...tls }),
    clock: systemClock,
    random: systemRandom,
    json: options.json,
    get isTerminal() {
      return messages.isTerminal;
    },
    get useColor() {
      return process.env['NO_COLOR'] === undefined && messages.isTerminal;
    },
    stdout,
    stderr,
    progress: (text) => {
      if (!options.quiet) stderr(plainText(text));
    },
    result: (schema, value, text) => {
      stdout(options.json ? JSON.stringify({ schema, ...value }) : plainText(text()));
    },
    exit: (code) => {
      process.exitCode = code;
    },
  };
}

/** The environment; a HOME that is not set is the one of the user's account, never the current folder. */
function environment(): CliContext['env'] {
  if (process.env['HOME'] || process.platform === 'win32') return process.env;
  try {
    // An empty HOME would be taken at its word.
    delete process.env['HOME'];
    return { ...process.env, HOME: homedir() };
  } catch {
    return process.env;
  }
}
