/** Every soak: its options, what it says about itself, and how it counts. Modules are read when one runs. */
import { availableParallelism } from 'node:os';

export interface Options {
  /** A positive number given as `--name N`. */
  number(name: string, otherwise: number): number;
  readonly seed: number;
  say(text: string): void;
}

/** This machine lacks what the soak needs. */
export class SoakSkipped extends Error {}

export interface Soak {
  readonly options: string;
  readonly summary: string;
  /** How much passed; throws on the first thing that is wrong. */
  run(options: Options): Promise<number>;
}

const lanes = Math.min(2, availableParallelism());

export const soaks: Readonly<Record<string, Soak>> = {
  kill: {
    options: '[--count 200]',
    summary: 'SIGKILL of a log process at a random moment; all that was acknowledged is found after it',
    run: async ({ number, seed, say }) => {
      const { killLoop } = await import('./kill.ts');
      const found = await killLoop({ count: number('count', 200), seed, lanes, told: say });
      const { kills, whileOpening, acknowledged, unanswered, checkpoints, proofs, leftovers } = found;
      say(`${kills} kills, ${whileOpening} of them while the log was being opened`);
      say(`${acknowledged} entries acknowledged, none lost; ${unanswered} logged without an answer`);
      say(
        `${checkpoints} checkpoints seen, all of one chain; ${proofs} proofs on demand; ${leftovers} leftovers`,
      );
      return kills;
    },
  },
  'kill-server': {
    options: '[--count 50]',
    summary: 'the same for a whole log server over HTTP, judged by the monitor',
    run: async ({ number, seed, say }) => {
      const { killServer } = await import('./kill-server.ts');
      const { kills, acknowledged, unanswered } = await killServer(number('count', 50), seed, say);
      say(`${kills} kills: ${acknowledged} entries acknowledged, none lost; ${unanswered} without an answer`);
      return kills;
    },
  },
  syscalls: {
    options: '',
    summary: 'strace fails, or ends the process at, each writing system call of an append and of a recovery',
    run: async ({ say }) => {
      const { canTrace, FAULTS, sweep, tell } = await import('./syscalls.ts');
      if (!canTrace()) throw new SoakSkipped('strace cannot trace here');
      const faults = Object.keys(FAULTS) as (keyof typeof FAULTS)[];
      const report = await sweep({ faults, lanes, told: say });
      tell(report, say);
      return report.runs;
    },
  },
  'power-loss': {
    options: '[--count 20] [--sets 1]',
    summary: 'every disk a power failure may leave of N recorded runs, each started and proven',
    run: async ({ number, seed, say }) => {
      const { canTrace } = await import('./syscalls.ts');
      const { EVERY_SET_OF, powerLoss } = await import('./power-loss.ts');
      if (!canTrace()) throw new SoakSkipped('strace cannot trace here');
      const sets = number('sets', 1);
      const found = await powerLoss({ count: number('count', 20), seed, sets, told: say });
      const { traces, calls, moments, exhausted, images, acknowledged } = found;
      say(`${traces} traces, ${calls} calls on the disk, ${acknowledged} entries acknowledged, none lost`);
      say(`${moments} moments: every set of pieces at ${exhausted} (up to ${EVERY_SET_OF} under way),`);
      say(`  none, all and ${sets} by chance at the others; ${images} different disks`);
      return images;
    },
  },
  unlogged: {
    options: '[--count 50]',
    summary:
      'an authority ended at each of its steps, then N times by chance; every certificate that left is logged',
    run: async ({ number, seed, say }) => {
      const { unlogged } = await import('./certificates.ts');
      const { steps, kills, released, unreleased } = await unlogged({
        ...{ count: number('count', 50), seed, told: say },
      });
      say(`${steps} steps and ${kills} random kills: ${released} certificates left, each found in the log`);
      say(`${unreleased} precertificates were logged whose certificate never left`);
      return steps + kills;
    },
  },
  rebuild: {
    options: '[--count 3000]',
    summary: 'a log of N entries made again from its folder and key alone, and from its tiles alone',
    run: async ({ number, seed, say }) => {
      const { rebuild } = await import('./rebuild.ts');
      const found = await rebuild({ entries: number('count', 3000), seed });
      say(
        `${found.entries} entries in ${found.files} files, ${found.checkpoints} checkpoints signed on the way`,
      );
      say(`rebuilt ${found.ways.join('; ')}: the same root, all checkpoints of one chain, and it goes on`);
      return found.ways.length;
    },
  },
  availability: {
    options: '[--minutes 3] [--every 20] [--rate 20] [--entries 1000000]',
    summary: 'a server of many entries killed every N seconds, a prober each second, writes at a steady rate',
    run: async ({ number, seed, say }) => {
      const { availability, judge } = await import('./availability.ts');
      const report = await availability({
        ...{ minutes: number('minutes', 3), every: number('every', 20), rate: number('rate', 20) },
        ...{ entries: number('entries', 1_000_000), seed, told: say },
      });
      judge(report, say);
      return report.reads + report.writes;
    },
  },
  upgrade: {
    options: '',
    summary: 'data directories that earlier versions left in the middle of a commit; newer ones are refused',
    run: async ({ say }) => {
      const { upgrade } = await import('./upgrade.ts');
      const { read, entries, refused } = await upgrade();
      say(`read and finished ${read.join(', ')} of ${entries} entries each; a newer format was refused of`);
      say(`${refused.join(', ')}, every byte left as it was`);
      return read.length + refused.length;
    },
  },
  twin: {
    options: '[--count 100000]',
    summary: 'a naive log beside the real one over a random history',
    run: async ({ number, seed }) => {
      const { twins } = await import('./twin.ts');
      const count = number('count', 100_000);
      await twins(count, seed);
      return count;
    },
  },
  model: {
    options: '[--count 2]',
    summary: 'every state of the commit protocol with two writers and N crashes',
    run: async ({ number, say }) => {
      const { explore, initial } = await import('../tlog/model.ts');
      const { states, broken } = explore(initial(2, number('count', 2)));
      if (broken !== undefined) throw new Error(`${broken.what}: ${broken.history.join(', ')}`);
      say(`${states} states`);
      return 1;
    },
  },
  writers: {
    options: '[--count 20]',
    summary:
      'a process stopped in its work, a second one over the same folder, both go on; an older copy put back',
    run: async ({ number, seed, say }) => {
      const { writers } = await import('./writers.ts');
      const found = await writers({ count: number('count', 20), seed });
      const { rounds, acknowledged, checkpoints, gaveWay, refusedCopies } = found;
      say(`${rounds} rounds of two writers: ${acknowledged} entries, ${checkpoints} checkpoints, one chain`);
      say(`${gaveWay} writers found the lock moved and ended; ${refusedCopies} older copies refused`);
      return rounds;
    },
  },
  rotate: {
    options: '[--count 5]',
    summary: 'every key of a stack rotated N times while somebody signs without a pause',
    run: async ({ number, say }) => {
      const { rotatable } = await import('#stack');
      const { rotateAgain } = await import('./rotate.ts');
      const rounds = number('count', 5);
      const signatures = await rotateAgain(rounds);
      say(`${rounds * rotatable.length} rotations under load: ${signatures} signatures, none failed`);
      return rounds;
    },
  },
};

/** The soaks that prove a promise of docs/promises.md, one after the other. */
export const promises: Readonly<Record<string, readonly string[]>> = {
  p1: ['kill', 'syscalls', 'power-loss'],
  p2: ['model', 'writers'],
  p3: ['unlogged'],
  p15: ['rebuild'],
  p16: ['availability'],
  p17: ['upgrade'],
};
