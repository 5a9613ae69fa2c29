/**
 * `npm run soak -- kill|twin|model|rotate [--count N] [--seed N]`: what is too long for `npm test`. Ends with
 * `N passed, N failed`.
 */
import { rotatable } from '#stack';
import { explore, initial } from '../tlog/model.ts';
import { killLoop } from './kill.ts';
import { rotateAgain } from './rotate.ts';
import { twins } from './twin.ts';

const [what = '', ...words] = process.argv.slice(2);
const option = (name: string, otherwise: number): number => {
  const at = words.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(words[at + 1]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name} takes a positive number`);
  process.exit(3);
};
const seed = option('seed', Math.trunc(Date.now() / 1000));
const say = (text: string): void => console.log(text);

const soaks: Readonly<Record<string, () => Promise<number>>> = {
  kill: async () => {
    const { kills, acknowledged, unanswered } = await killLoop(option('count', 200), seed, say);
    say(
      `${kills} kills: ${acknowledged} entries acknowledged, none lost; ${unanswered} logged without an answer`,
    );
    return kills;
  },
  twin: async () => {
    const count = option('count', 100_000);
    await twins(count, seed);
    return count;
  },
  model: async () => {
    const { states, broken } = explore(initial(2, option('count', 2)));
    if (broken !== undefined) throw new Error(`${broken.what}: ${broken.history.join(', ')}`);
    say(`${states} states`);
    return 1;
  },
  rotate: async () => {
    const rounds = option('count', 5);
    const signatures = await rotateAgain(rounds);
    say(`${rounds * rotatable.length} rotations under load: ${signatures} signatures, none failed`);
    return rounds;
  },
};

const soak = soaks[what];
if (soak === undefined) {
  console.error(`soak kill, twin, model or rotate, not ${JSON.stringify(what)}`);
  process.exit(3);
}
say(`${what}, seed ${seed}`);
try {
  console.log(`${await soak()} passed, 0 failed`);
} catch (error) {
  console.error(error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
