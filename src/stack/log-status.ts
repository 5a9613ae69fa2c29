/** How large the logs of a stack are, how old what they published is, and who cosigned it: asked over HTTP. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { attempt, unwrap } from '#base/result';
import { parseJson, reader } from '#formats/json';
import { parseCheckpoint, parseNote } from '#formats/note';
import { readPublishedText } from '#platform/checkpoint-lock';
import type { Transport } from '#platform/http-client';
import { FROZEN_LINE } from '#tlog';
import { currentOf, folderOf, type Generations } from './generations.ts';

export interface LogStatus {
  /** Entries in the newest checkpoint. */
  readonly entries: number;
  /** Milliseconds since the epoch: when the newest checkpoint, or tree head, was published. */
  readonly checkpointAt?: number;
  /** Names of those who signed the newest checkpoint beside the log; empty without witnesses. */
  readonly witnesses: readonly string[];
  /** Its last checkpoint says that nothing follows. */
  readonly isFrozen: boolean;
}

export interface LogPlace {
  readonly name: 'ct' | 'log' | 'log2';
  readonly url: string;
  readonly dataDir: string;
  readonly generations: Generations;
}

const TIMEOUT_MS = 3000;
const paths = { ct: '/ct/v1/get-sth', log: '/api/v1/log', log2: '/api/v2/checkpoint' } as const;

/** Undefined when it does not answer as a log of its kind. */
export async function logStatus(transport: Transport, place: LogPlace): Promise<LogStatus | undefined> {
  const { name, url } = place;
  const { body } = await transport.request({ url: url + paths[name], timeoutMs: TIMEOUT_MS });
  const read = attempt((): LogStatus => {
    if (name === 'log2') return noteStatus(utf8Text(body));
    const json = reader(unwrap(parseJson(body)));
    if (name === 'log') return noteStatus(json.string('signedTreeHead'));
    const [entries, checkpointAt] = [json.integer('tree_size'), json.integer('timestamp')];
    // Tree heads of certificate logs have no room to say it; their checkpoints do.
    const published = readPublishedText(treeOf(place));
    const { isFrozen } = published === undefined ? { isFrozen: false } : noteStatus(published);
    return { entries, checkpointAt, witnesses: [], isFrozen };
  });
  if (!read.ok) return undefined;
  if (read.value.checkpointAt !== undefined) return read.value;
  const checkpointAt = await publishedAt(place);
  return checkpointAt === undefined ? read.value : { ...read.value, checkpointAt };
}

function noteStatus(text: string): LogStatus {
  const note = unwrap(parseNote(text));
  const { origin, size, extensions } = unwrap(parseCheckpoint(note.text));
  const own = origin.replace(/ - [0-9]+$/, '');
  const names = note.signatures.map((signature) => signature.name).filter((name) => name !== own);
  return { entries: size, witnesses: [...new Set(names)], isFrozen: extensions.includes(FROZEN_LINE) };
}

/** A checkpoint has no time of its own: its file has. */
async function publishedAt(place: LogPlace): Promise<number | undefined> {
  const found = await stat(join(treeOf(place), 'checkpoint')).catch(() => undefined);
  return found === undefined ? undefined : Math.floor(found.mtimeMs);
}

const treeOf = ({ dataDir, generations, name }: LogPlace): string =>
  join(dataDir, folderOf(name, currentOf(generations, name).number), 'tree');
