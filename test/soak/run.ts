/** `npm run soak -- NAME [--count N] [--seed N]`: what is too long for `npm test`. Ends with `N passed, N failed`. */
import { type Options, promises, type Soak, SoakSkipped, soaks } from './soaks.ts';

const [what = '--help', ...words] = process.argv.slice(2);

const option: Options['number'] = (name, otherwise) => {
  const at = words.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(words[at + 1]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--${name} takes a positive number`);
  process.exit(3);
};

function help(): string {
  const lines = Object.entries(soaks).map(([name, { options, summary }]) => {
    return `  ${name}${options === '' ? '' : ` ${options}`}\n      ${summary}`;
  });
  const proofs = Object.entries(promises).map(([name, all]) => `  ${name.padEnd(4)} ${all.join(', ')}`);
  return [
    'npm run soak -- NAME [--seed N] …',
    ...lines,
    'by promise (docs/promises.md); options with the name before them, as --kill-count N:',
    ...proofs,
  ].join('\n');
}

const isHelp = ['--help', '-h', 'help'].includes(what);
const names = promises[what] ?? [what];
const chosen = names.flatMap((name): [string, Soak][] => {
  const soak = soaks[name];
  return soak === undefined ? [] : [[name, soak]];
});
if (chosen.length === 0) {
  console[isHelp ? 'log' : 'error'](isHelp ? help() : `no soak ${JSON.stringify(what)}\n${help()}`);
  process.exit(isHelp ? 0 : 3);
}
const seed = option('seed', Math.trunc(Date.now() / 1000));
const say = (text: string): void => console.log(text);
const total = { passed: 0, failed: 0 };
for (const [name, soak] of chosen) {
  say(`${name}, seed ${seed}`);
  const began = performance.now();
  try {
    // Each of several takes its own: `p1 --kill-count 10000`.
    const number: Options['number'] =
      chosen.length === 1 ? option : (one, otherwise) => option(`${name}-${one}`, otherwise);
    total.passed += await soak.run({ number, seed, say });
    say(`${Math.round((performance.now() - began) / 1000)} s`);
  } catch (error) {
    process.exitCode = 1;
    if (error instanceof SoakSkipped) {
      say(`not run: ${error.message}`);
      continue;
    }
    total.failed++;
    console.error(error);
  }
}
console.log(`${total.passed} passed, ${total.failed} failed`);
