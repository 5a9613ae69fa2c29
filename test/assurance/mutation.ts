/** Runs mutants through a worker process; a mutant that does not end takes its worker with it. */
import { type ChildProcess, fork } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { getPriority, setPriority, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { schemata } from './schemata.ts';
import { apply, type SourceMutant } from './sites.ts';
import type { Answer, FileTests, SurveyedTest, Task } from './worker.ts';

export interface Outcome {
  readonly mutant: SourceMutant;
  /** The test that noticed, or `(did not end)`; undefined: the mutant survived. */
  readonly killedBy: string | undefined;
}

export interface MutationOptions {
  /** The tests that are asked, in this order where nothing tells them apart. */
  readonly testFiles: readonly string[];
  /** Tests that take longer, by the processor's time, are not asked. */
  readonly testMsMax: number;
  /** A mutant that takes longer counts as noticed: it does not end. */
  readonly mutantMsMax: number;
  readonly progress: (outcome: Outcome) => void;
}

/** Sources that are loaded once more stay in memory: a worker is replaced before that fills it. */
const LOADS_PER_WORKER = 40;
/** How an answer begins that is none: the worker is not there any more. */
const GONE = '(ended the process';
const BASELINE_MS_MAX = 600_000;

/** The sources as they are when the run starts: whoever works on them meanwhile disturbs nothing. */
export function snapshot(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-mutation-')));
  for (const name of ['src', 'test', 'examples', 'package.json'])
    cpSync(name, join(folder, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  return folder;
}

type Question = Task extends infer T ? (T extends Task ? Omit<T, 'id'> : never) : never;

class Runner {
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #loads = 0;
  #tasks = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A worker that is gone is asked once more: someone else may have ended it. */
  async run(question: Question, msMax: number): Promise<Answer> {
    const answer = await this.#ask(question, msMax);
    const isGone = answer.killedBy?.startsWith(GONE) === true;
    return isGone && question.kind !== 'try' ? this.#ask(question, msMax) : answer;
  }

  async #ask(question: Question, msMax: number): Promise<Answer> {
    if (question.kind === 'mutant' && ++this.#loads > LOADS_PER_WORKER) this.end();
    const child = this.#worker();
    // Modules are kept by this number: it never comes twice.
    const task = { id: ++this.#tasks, ...question };
    return new Promise((done) => {
      const finish = (answer: Answer): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        done(answer);
      };
      const lost = (killedBy: string): void => {
        this.end();
        finish({ id: task.id, killedBy, ran: 0 });
      };
      const timer = setTimeout(() => lost('(did not end)'), msMax);
      child.once('message', (message) => finish(message as Answer));
      child.once('exit', (code, signal) => lost(`${GONE}: ${signal ?? code})`));
      child.send(task);
    });
  }

  /** Whether the next task starts a worker. */
  get isNew(): boolean {
    return this.#child === undefined;
  }

  #worker(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const worker = join(this.#folder, 'test/assurance/worker.ts');
    const child = fork(worker, {
      cwd: this.#folder,
      env: { ...process.env, WAYBILL_SHARED: resolve(process.env['WAYBILL_SHARED'] ?? '../shared') },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    if (child.pid !== undefined) setPriority(child.pid, Math.max(10, getPriority()));
    this.#child = child;
    return child;
  }

  end(): void {
    this.#child?.removeAllListeners();
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
    this.#loads = 0;
  }
}

/** Removes a snapshot. */
export function discard(folder: string): void {
  rmSync(folder, { recursive: true });
}

/** Judges the mutants of a snapshot in order. Throws when a test fails without any change. */
export async function runMutants(
  mutants: readonly SourceMutant[],
  folder: string,
  options: MutationOptions,
): Promise<Outcome[]> {
  if (mutants.length === 0) return [];
  const quick = new Runner(folder);
  const slow = new Runner(folder);
  const outcomes: Outcome[] = [];
  try {
    const { testFiles } = options;
    const reach = await survey(slow, mutants, options);
    const sources = switches(folder, mutants);
    const kills = new Map<string, string[]>();
    for (const [index, mutant] of mutants.entries()) {
      const { file } = mutant;
      if (quick.isNew) await must(quick, { kind: 'prepare', testFiles, sources });
      if (index === 0) await must(quick, { kind: 'try', number: 0, tests: oneByOne(reach.all, []) });
      const order = oneByOne(reach.byTest[index] ?? [], kills.get(file) ?? []);
      let answer = await quick.run({ kind: 'try', number: index + 1, tests: order }, options.mutantMsMax);
      if (answer.isPolluted === true) quick.end();
      const isGone = answer.killedBy?.startsWith(GONE) === true;
      if (isGone || answer.isPolluted === true || reach.onlyAtLoading.has(index)) {
        const source = apply(readFileSync(join(folder, file), 'utf8'), mutant);
        const tests = inOrder(reach.byFile.get(file) ?? [], kills.get(file) ?? []);
        answer = await slow.run({ kind: 'mutant', file, source, tests }, options.mutantMsMax);
      }
      const { killedBy } = answer;
      if (killedBy !== undefined) kills.set(file, [...(kills.get(file) ?? []), killedBy]);
      const outcome = { mutant, killedBy };
      outcomes.push(outcome);
      options.progress(outcome);
    }
  } finally {
    quick.end();
    slow.end();
  }
  return outcomes;
}

function switches(folder: string, mutants: readonly SourceMutant[]): Record<string, string> {
  const numbered = mutants.map((mutant, index) => ({ mutant, number: index + 1 }));
  return Object.fromEntries(
    [...Map.groupBy(numbered, ({ mutant }) => mutant.file)].map(([file, list]) => [
      file,
      schemata(file, readFileSync(join(folder, file), 'utf8'), list),
    ]),
  );
}

async function must(runner: Runner, question: Question): Promise<Answer> {
  const answer = await runner.run(question, BASELINE_MS_MAX);
  if (answer.killedBy === undefined) return answer;
  throw new Error(`a test fails without any change: ${answer.killedBy}: ${answer.error}`);
}

interface Reach {
  /** For each mutant the tests that come by it. */
  readonly byTest: readonly (readonly SurveyedTest[])[];
  /** Mutants that run when modules are loaded and never again: constants of the modules. */
  readonly onlyAtLoading: ReadonlySet<number>;
  readonly all: readonly SurveyedTest[];
  /** Tests that come by any mutant of a file. */
  readonly byFile: ReadonlyMap<string, readonly SurveyedTest[]>;
}

/** Tests that take too long are left out; those left pass once more with every mutant switched off. */
async function survey(
  runner: Runner,
  mutants: readonly SourceMutant[],
  { testFiles, testMsMax }: MutationOptions,
): Promise<Reach> {
  const places = mutants.map(({ file, start }) => ({ file, at: start }));
  const { survey: found = [] } = await must(runner, { kind: 'survey', testFiles, places });
  const all = found.filter(({ name, ms }) => name !== '(loading)' && ms <= testMsMax);
  if (all.length < testFiles.length) throw new Error(`only ${all.length} tests ran`);
  const byTest = mutants.map((): SurveyedTest[] => []);
  for (const test of all) for (const index of test.reaches) byTest[index]?.push(test);
  const loading = found.filter(({ name }) => name === '(loading)');
  const atLoading = new Set(loading.flatMap(({ reaches }) => reaches));
  const byFile = new Map<string, Set<SurveyedTest>>();
  for (const [index, { file }] of mutants.entries()) {
    const list = byFile.get(file) ?? new Set();
    for (const test of byTest[index] ?? []) list.add(test);
    byFile.set(file, list);
  }
  return {
    byTest,
    onlyAtLoading: new Set([...atLoading].filter((index) => byTest[index]?.length === 0)),
    all,
    byFile: new Map([...byFile].map(([file, list]) => [file, [...list]])),
  };
}

/** Files and tests with those that noticed a change of this file before first, then the quick ones. */
function inOrder(tests: readonly SurveyedTest[], killers: readonly string[]): FileTests[] {
  const kills = (key: string): number => killers.filter((name) => name.startsWith(key)).length;
  const byFile = [...Map.groupBy(tests, ({ file }) => file)];
  byFile.sort(([a], [b]) => kills(`${b} `) - kills(`${a} `));
  return byFile.map(([file, list]) => {
    const ranked = list.map(({ name, ms }) => ({ name, ms, kills: kills(`${file} ${name}`) }));
    ranked.sort((a, b) => b.kills - a.kills || a.ms - b.ms);
    return { file, names: ranked.map(({ name }) => name) };
  });
}

/** Where everything is loaded already: the likeliest test first, then the quickest, whatever file it is in. */
function oneByOne(tests: readonly SurveyedTest[], killers: readonly string[]): FileTests[] {
  const counts = new Map<string, number>();
  for (const killer of killers) counts.set(killer, (counts.get(killer) ?? 0) + 1);
  const kills = ({ file, name }: SurveyedTest): number => counts.get(`${file} ${name}`) ?? 0;
  const ranked = tests.toSorted((a, b) => kills(b) - kills(a) || a.ms - b.ms);
  return ranked.map(({ file, name }) => ({ file, names: [name] }));
}
