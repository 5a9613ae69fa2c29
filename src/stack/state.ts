/** `stack.json` in the data directory: what a stack is, so that other commands find it. No secrets. */
import { join } from 'node:path';
import { fail } from '#base/reason';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { readFileIfThere, writeFileDurable } from '#platform/files';
import { httpTransport, type Transport } from '#platform/http-client';
import { type Simulation, simulationIn } from '#trust';
import { type Origins, type StationName, stations } from './layout.ts';
import { R } from './reasons.ts';

export const STATE_SCHEMA = 'waybill.dev/stack/v1';
export const STATE_FILE = 'stack.json';

export interface StackState {
  readonly schema: typeof STATE_SCHEMA;
  /** True: one trust domain on one machine, whose issuer mints any identity. */
  readonly development: boolean;
  /** Milliseconds since the epoch: when keys and logs were made. */
  readonly createdAt: number;
  /** Of the latest start. */
  readonly origins: Origins;
  readonly pid: number;
  /** Unix socket of the running stack, for commands of the same user. */
  readonly admin?: string;
  /** Set when certificates carry the issuer of somebody else; nothing outside may rely on such a stack. */
  readonly simulate?: Simulation;
  /** With TLS: the authority of its servers, PEM, below the data directory. */
  readonly tlsCa?: string;
  /** SHA-256 of the first root of the TUF repository, hex: what clients pinned. */
  readonly tufRoot?: string;
  /** Where the checkpoint locks of its logs are kept. */
  readonly lockDir?: string;
}

/** The state of a data directory, undefined when it holds no stack. Throws WB-1202. */
export async function readState(dataDir: string): Promise<StackState | undefined> {
  const path = join(dataDir, STATE_FILE);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return undefined;
  const read = attempt((): StackState => {
    const json = reader(unwrap(parseJson(bytes)), path, { as: R.state });
    if (json.string('schema') !== STATE_SCHEMA)
      throw json.wrong('schema', STATE_SCHEMA, json.string('schema'));
    const origins = json.child('origins');
    const simulate = simulationIn(json);
    const admin = json.optionalString('admin');
    const tlsCa = json.optionalString('tlsCa');
    const tufRoot = json.optionalString('tufRoot');
    const lockDir = json.optionalString('lockDir');
    const entries = stations.map(({ name }) => [name, origins.text(name)] as const);
    return {
      schema: STATE_SCHEMA,
      development: json.boolean('development'),
      createdAt: json.integer('createdAt'),
      origins: Object.fromEntries(entries) as Record<StationName, string>,
      pid: json.integer('pid'),
      ...(admin === undefined ? {} : { admin }),
      ...(simulate === undefined ? {} : { simulate }),
      ...(tlsCa === undefined ? {} : { tlsCa }),
      ...(tufRoot === undefined ? {} : { tufRoot }),
      ...(lockDir === undefined ? {} : { lockDir }),
    };
  });
  if (read.ok) return read.value;
  throw fail(R.state, { expected: `${path} of this version`, actual: `${read.error.check}` });
}

/** Like `readState`, but a folder without a stack is WB-1202. */
export async function requireState(dataDir: string): Promise<StackState> {
  const state = await readState(dataDir);
  if (state !== undefined) return state;
  throw fail(R.state, { expected: `a stack in ${dataDir}`, actual: `no ${STATE_FILE}` });
}

export async function writeState(dataDir: string, state: StackState): Promise<void> {
  await writeFileDurable(join(dataDir, STATE_FILE), `${JSON.stringify(state, undefined, 2)}\n`);
}

/** Throws WB-1203 when the directory is a development stack's: for servers that others rely on. */
export async function refuseDevelopment(dataDir: string): Promise<void> {
  const state = await readState(dataDir);
  if (state?.development !== true) return;
  const expected = 'a data directory without a development issuer';
  throw fail(R.development, { expected, actual: `${dataDir}, made by waybill stack up` });
}

/** A transport that believes a stack's own authority beside the system's; `given` for a stack without TLS. */
export function stackTransport(dataDir: string, { tlsCa }: StackState, given: Transport): Transport {
  return tlsCa === undefined ? given : httpTransport({ caFile: join(dataDir, tlsCa) });
}
