/** `npm run soak -- NAME [--count N] [--seed N]`: what is too long for `npm test`. Ends with `N passed, N failed`. */
import { type Options, SoakSkipped, soaks } from './soaks.ts';

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
  return ['npm run soak -- NAME [--seed N] …', ...lines].join('\n');
}

const soak = soaks[what];
if (soak === undefined) {
  const isHelp = ['--help', '-h', 'help'].includes(what);
  console[isHelp ? 'log' : 'error'](isHelp ? help() : `no soak ${JSON.stringify(what)}\n${help()}`);
  process.exit(isHelp ? 0 : 3);
}
const seed = option('seed', Math.trunc(Date.now() / 1000));
const say = (text: string): void => console.log(text);
say(`${what}, seed ${seed}`);
const began = performance.now();
try {
  const passed = await soak.run({ number: option, seed, say });
  say(`${Math.round((performance.now() - began) / 1000)} s`);
  console.log(`${passed} passed, 0 failed`);
} catch (error) {
  if (error instanceof SoakSkipped) say(`not run: ${error.message}`);
  else console.error(error);
  console.log(error instanceof SoakSkipped ? '0 passed, 0 failed' : '0 passed, 1 failed');
  process.exitCode = 1;
}
