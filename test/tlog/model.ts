/**
 * The commit protocol as a small state machine, and a search through all of its states. A tree is the string of its
 * entries, so `extends` is a prefix. Two processes write; either may end at any step and be opened again; the data
 * (not the lock) may be copied and put back at any time; a witness cosigns between lock and publication.
 */

/** Faults of the protocol itself: each must be found, or the search would show nothing. */
export type Mutation =
  | 'ack-before-publish'
  | 'swap-before-stage'
  | 'publish-before-swap'
  | 'publish-back'
  | 'no-compare'
  | 'lock-restored-too'
  | 'cosign-before-swap';

/** Steps of one commit, in the order of src/tlog/commit.ts. */
const ORDER = ['stage', 'swap', 'apply', 'cosign', 'publish', 'ack'] as const;
type Step = (typeof ORDER)[number];

export function orderOf(mutation: Mutation | undefined): readonly Step[] {
  const moved = (step: Step, to: number): readonly Step[] =>
    ORDER.filter((one) => one !== step).toSpliced(to, 0, step);
  if (mutation === 'ack-before-publish') return moved('ack', 2);
  if (mutation === 'swap-before-stage') return moved('stage', 1);
  if (mutation === 'publish-before-swap') return moved('publish', 1);
  if (mutation === 'cosign-before-swap') return moved('cosign', 1);
  return ORDER;
}

interface Data {
  /** `<from>→<to>`, by the trees themselves. */
  readonly staged: readonly string[];
  readonly tiles: string;
  readonly published: string;
}

interface Process {
  /** undefined: closed. */
  readonly tree: string | undefined;
  readonly next: string;
  /** Steps of ORDER done for `next`; 0 with next empty: idle. */
  readonly done: number;
  readonly batches: number;
}

export interface State {
  readonly lock: string;
  readonly data: Data;
  readonly backup: Data | undefined;
  readonly lockBackup: string | undefined;
  readonly witness: string;
  readonly processes: readonly Process[];
  /** Acknowledged: the tree as it was when the answer was given. */
  readonly acked: readonly string[];
  readonly crashes: number;
  readonly restores: number;
}

const closed = (batches: number): Process => ({ tree: undefined, next: '', done: 0, batches });

export const initial = (batches: number, crashes: number): State => ({
  lock: '',
  data: { staged: [], tiles: '', published: '' },
  backup: undefined,
  lockBackup: undefined,
  witness: '',
  processes: [closed(batches), closed(batches)],
  acked: [],
  crashes,
  restores: 1,
});

/** The data holds every entry of a tree: full tiles up to somewhere, staged batches from there on. */
function holds(data: Data, tree: string): boolean {
  if (tree === data.tiles || tree === '') return true;
  return data.staged.some((batch) => {
    const [from = '', to] = batch.split('→');
    return to === tree && holds(data, from);
  });
}

const put = (list: readonly string[], item: string): readonly string[] =>
  list.includes(item) ? list : [...list, item].sort();

/** All states one step away, each with what was done. */
export function* successors(state: State, mutation?: Mutation): Generator<readonly [string, State]> {
  for (const [who, process] of state.processes.entries()) {
    const name = 'AB'[who] as string;
    const become = (next: Process, more: Partial<State> = {}): State => ({
      ...state,
      ...more,
      processes: state.processes.with(who, next),
    });
    if (process.tree === undefined) {
      const opened = open(state);
      if (opened !== undefined)
        yield [`${name} opens`, become({ ...process, tree: opened.tree }, opened.more)];
      continue;
    }
    if (process.next === '' && process.batches > 0) {
      // Entries are told apart by who logged them, so that a fork shows.
      const next = process.tree + (who === 0 ? 'abc' : 'xyz')[process.batches];
      yield [`${name} takes`, become({ ...process, next, done: 0, batches: process.batches - 1 })];
    }
    if (process.next !== '') {
      const step = orderOf(mutation)[process.done] as Step;
      yield [`${name} ${step}`, advance(state, process, step, become, mutation)];
    }
    if (state.crashes > 0) {
      yield [`${name} ends`, become(closed(process.batches), { crashes: state.crashes - 1 })];
    }
  }
  yield* copies(state, mutation);
}

/** What opening does: from the lock alone, refusing data that is older or newer than it. */
function open({ lock, data }: State): { tree: string; more: Partial<State> } | undefined {
  if (!holds(data, lock) || !lock.startsWith(data.published)) return undefined;
  // Recovery finishes the batch; publication waits for the witness, which sees the lock's own tree.
  return { tree: lock, more: { data: { ...data, tiles: lock, published: lock }, witness: lock } };
}

function advance(
  state: State,
  process: Process,
  step: Step,
  become: (next: Process, more?: Partial<State>) => State,
  mutation: Mutation | undefined,
): State {
  const { next } = process;
  const tree = process.tree as string;
  const { data } = state;
  const isLast = process.done === ORDER.length - 1;
  const on = isLast ? { ...process, tree: next, next: '', done: 0 } : { ...process, done: process.done + 1 };
  const stopped = closed(process.batches);
  switch (step) {
    case 'stage':
      return become(on, { data: { ...data, staged: put(data.staged, `${tree}→${next}`) } });
    case 'swap': {
      const mayMove = state.lock === tree || mutation === 'no-compare';
      return mayMove ? become(on, { lock: next }) : become(stopped);
    }
    case 'apply':
      return become(on, { data: { ...data, tiles: next.length > data.tiles.length ? next : data.tiles } });
    case 'cosign':
      // A witness refuses what does not extend what it saw; the log then waits, here: stops.
      return next.startsWith(state.witness) ? become(on, { witness: next }) : become(stopped);
    case 'publish':
      // A successor may have published more: that stays.
      if (next.length < data.published.length && mutation !== 'publish-back') return become(on);
      return become(on, { data: { ...data, published: next } });
    case 'ack':
      return become(on, { acked: put(state.acked, next) });
  }
}

function* copies(state: State, mutation: Mutation | undefined): Generator<readonly [string, State]> {
  if (state.backup === undefined) {
    yield ['data is copied', { ...state, backup: state.data, lockBackup: state.lock }];
  } else if (state.restores > 0) {
    const processes = state.processes.map(({ batches }) => closed(batches));
    const lock = mutation === 'lock-restored-too' ? (state.lockBackup as string) : state.lock;
    yield [
      'data is put back',
      { ...state, lock, data: state.backup, processes, restores: state.restores - 1 },
    ];
  }
}

/** What must hold in every state; the name of what does not. */
export function broken(before: State, after: State): string | undefined {
  if (!after.lock.startsWith(before.lock)) return 'P2: the lock left the chain of its checkpoints';
  if (!after.witness.startsWith(before.witness)) return 'the witness saw two histories';
  if (!after.lock.startsWith(after.data.published))
    return 'P2: something was published that the lock does not name';
  if (!after.lock.startsWith(after.witness)) return 'P2: a tree was cosigned that the lock does not name';
  const back = after.restores === before.restores && !after.data.published.startsWith(before.data.published);
  if (back) return 'P2: readers saw the log go back';
  const lost = after.acked.find((tree) => !after.lock.startsWith(tree));
  if (lost !== undefined) return `P1: ${lost} was acknowledged and is not in the log`;
  const isRestored = after.restores === 0;
  if (!isRestored && !holds(after.data, after.lock)) return 'P1: the data does not hold what the lock names';
  const unseen = after.acked.find(
    (tree) => !before.acked.includes(tree) && !after.data.published.startsWith(tree),
  );
  return unseen === undefined ? undefined : `P1: ${unseen} was acknowledged before it was published`;
}

export interface Explored {
  readonly states: number;
  /** The shortest history that breaks something. */
  readonly broken?: { readonly what: string; readonly history: readonly string[] };
}

/** Breadth first, so that what is found is short. */
export function explore(start: State, mutation?: Mutation): Explored {
  const seen = new Set([JSON.stringify(start)]);
  type Path = { readonly state: State; readonly by: string; readonly before: Path | undefined };
  let border: Path[] = [{ state: start, by: 'start', before: undefined }];
  const historyOf = (path: Path | undefined): string[] =>
    path === undefined ? [] : [...historyOf(path.before), path.by];
  while (border.length > 0) {
    const next: Path[] = [];
    for (const path of border) {
      for (const [by, state] of successors(path.state, mutation)) {
        const reached = { state, by, before: path };
        const what = broken(path.state, state);
        if (what !== undefined) return { states: seen.size, broken: { what, history: historyOf(reached) } };
        const key = JSON.stringify(state);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(reached);
      }
    }
    border = next;
  }
  return { states: seen.size };
}
