/**
 * Judges mutants one after another: for each, the sources and tests it needs are loaded afresh with one file
 * replaced, and the tests that reach the change run until the first one fails. Started by mutation.ts, which ends
 * it when a mutant does not stop.
 */
import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Coverage, type Place } from './coverage.ts';
import { takeTests } from './node-test-double.ts';

/** What may be asked of a worker. `id` never comes twice: modules are kept by it. */
export type Task =
  | {
      readonly id: number;
      readonly kind: 'survey';
      readonly testFiles: readonly string[];
      readonly places: readonly Place[];
    }
  | {
      readonly id: number;
      /** Loads every test over sources that hold all mutants, by path below the working directory. */
      readonly kind: 'prepare';
      readonly testFiles: readonly string[];
      readonly sources: Readonly<Record<string, string>>;
    }
  | {
      readonly id: number;
      /** Runs tests with one mutant of the prepared sources switched on. */
      readonly kind: 'try';
      readonly number: number;
      readonly tests: readonly FileTests[];
    }
  | {
      readonly id: number;
      /** Loads and runs tests over sources of which one is replaced. */
      readonly kind: 'mutant';
      /** Below the working directory; undefined: nothing is replaced. */
      readonly file: string | undefined;
      readonly source: string | undefined;
      /** Tests by name, in files, in the order they are to run. */
      readonly tests: readonly FileTests[];
    };

export interface FileTests {
  readonly file: string;
  readonly names: readonly string[];
}

export interface SurveyedTest {
  readonly file: string;
  readonly name: string;
  /** Of the processor's time: what else runs on the machine does not count. */
  readonly ms: number;
  /** Positions in the list of places: those this test runs through. */
  readonly reaches: readonly number[];
}

export interface Answer {
  readonly id: number;
  readonly survey?: readonly SurveyedTest[];
  /** The test that failed; undefined: none did. */
  readonly killedBy?: string;
  readonly error?: string;
  /** The test that failed fails without the mutant as well: something was left behind. */
  readonly isPolluted?: boolean;
  readonly ran: number;
}

declare global {
  /** The number of the mutant that is switched on; 0: none. */
  var mutant: number;
  /** One more turn of some loop. */
  var turn: () => void;
}

const TURNS_MAX = 3_000_000;
let turns = 0;
globalThis.mutant = 0;
globalThis.turn = () => {
  if (++turns > TURNS_MAX) throw new Error('a loop that does not end');
};

const root = pathToFileURL(`${process.cwd()}/`).href;
const double = new URL('./node-test-double.ts', import.meta.url).href;
const stripped = new Map<string, string>();
/** The generation that is being loaded, and the sources that are replaced in it, by address. */
let current: { readonly id: number; readonly sources: ReadonlyMap<string, string> } = {
  id: 0,
  sources: new Map(),
};
const prepared = new Map<string, ReadonlyMap<string, () => unknown>>();

registerHooks({
  resolve(specifier, context, next) {
    if (!context.parentURL?.includes('?mutant=') && !specifier.includes('?mutant=')) {
      return next(specifier, context);
    }
    if (specifier === 'node:test') return { url: double, shortCircuit: true };
    const found = next(specifier, context);
    const isOurs = found.url.startsWith(root) && !found.url.includes('/node_modules/');
    if (!isOurs || found.url.includes('?mutant=')) return found;
    return { ...found, url: `${found.url}?mutant=${current.id}` };
  },
  load(url, context, next) {
    const [plain = '', mark] = url.split('?mutant=');
    if (mark === undefined || !plain.endsWith('.ts')) return next(url, context);
    const replaced = current.sources.get(plain);
    const source = replaced === undefined ? sourceOf(plain) : stripTypeScriptTypes(replaced);
    return { format: 'module', source, shortCircuit: true };
  },
});

function sourceOf(url: string): string {
  let text = stripped.get(url);
  if (text === undefined) {
    text = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'));
    stripped.set(url, text);
  }
  return text;
}

const addressOf = (file: string): string => pathToFileURL(join(process.cwd(), file)).href;

async function load(file: string, id: number): Promise<ReturnType<typeof takeTests>> {
  takeTests();
  await import(`${addressOf(file)}?mutant=${id}`);
  return takeTests();
}

/** Runs everything once on the sources as they are: how long each test takes and where it comes by. */
async function survey(task: Extract<Task, { kind: 'survey' }>): Promise<Answer> {
  current = { id: task.id, sources: new Map() };
  const coverage = new Coverage(root, task.places);
  const found: SurveyedTest[] = [];
  for (const file of task.testFiles) {
    const tests = await load(file, task.id);
    const atLoading = coverage.take();
    found.push({ file, name: '(loading)', ms: 0, reaches: atLoading });
    for (const { name, body } of tests) {
      const start = process.cpuUsage();
      try {
        await body();
      } catch (error) {
        return { id: task.id, killedBy: `${file} ${name}`, error: String(error), ran: found.length };
      }
      const { user, system } = process.cpuUsage(start);
      found.push({ file, name, ms: (user + system) / 1000, reaches: coverage.take() });
    }
  }
  coverage.end();
  return { id: task.id, survey: found, ran: found.length };
}

async function judge(task: Extract<Task, { kind: 'mutant' }>): Promise<Answer> {
  const { id, file: changed, source, tests } = task;
  const isChanged = changed !== undefined && source !== undefined;
  current = { id, sources: new Map(isChanged ? [[addressOf(changed), source]] : []) };
  let ran = 0;
  for (const { file, names } of tests) {
    let bodies: ReadonlyMap<string, () => unknown>;
    try {
      bodies = new Map((await load(file, id)).map(({ name, body }) => [name, body]));
    } catch (error) {
      return { id, killedBy: `${file} (loading)`, error: String(error), ran };
    }
    for (const name of names) {
      try {
        await bodies.get(name)?.();
      } catch (error) {
        return { id, killedBy: `${file} ${name}`, error: String(error).slice(0, 300), ran };
      }
      ran++;
    }
  }
  return { id, ran };
}

async function prepare(task: Extract<Task, { kind: 'prepare' }>): Promise<Answer> {
  const sources = Object.entries(task.sources).map(([file, text]) => [addressOf(file), text] as const);
  current = { id: task.id, sources: new Map(sources) };
  for (const file of task.testFiles) {
    const tests = await load(file, task.id);
    prepared.set(file, new Map(tests.map(({ name, body }) => [name, body])));
  }
  return { id: task.id, ran: 0 };
}

async function attempt({ id, number, tests }: Extract<Task, { kind: 'try' }>): Promise<Answer> {
  let ran = 0;
  for (const { file, names } of tests) {
    for (const name of names) {
      const body = prepared.get(file)?.get(name);
      const error = await failure(number, body);
      if (error === undefined) {
        ran++;
        continue;
      }
      const isPolluted = (await failure(0, body)) !== undefined;
      return { id, killedBy: `${file} ${name}`, error, isPolluted, ran };
    }
  }
  return { id, ran };
}

/** What goes wrong when `body` runs with a mutant switched on; undefined: nothing. */
async function failure(number: number, body: (() => unknown) | undefined): Promise<string | undefined> {
  turns = 0;
  globalThis.mutant = number;
  try {
    if (body === undefined) throw new Error('no such test');
    await body();
    return undefined;
  } catch (error) {
    return String(error).slice(0, 300);
  } finally {
    globalThis.mutant = 0;
  }
}

function answer(task: Task): Promise<Answer> {
  if (task.kind === 'survey') return survey(task);
  if (task.kind === 'prepare') return prepare(task);
  return task.kind === 'try' ? attempt(task) : judge(task);
}

process.on('disconnect', () => process.exit());
process.on('message', (task: Task) => {
  answer(task).then(
    (said) => process.send?.(said),
    (error: unknown) => process.send?.({ id: task.id, killedBy: '(worker)', error: String(error), ran: 0 }),
  );
});
