/**
 * `npm run bench [-- NAME]`: ratios to floors measured in the same run; `npm run bench:peers [-- NAME]`: ratios to
 * real peers, which fails by name where one is not installed. Each benchmark ends with one JSON line
 * `{"bench":…,"ratios":{…},"pass":…}`; the exit code says whether all passed.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const [first, ...others] = process.argv.slice(2);
const [folder, words] = first === '--peers' ? ['bench/peers', others] : ['bench', process.argv.slice(2)];
const known = globSync(`${folder}/*.ts`)
  .map((file) => /([^/\\]+)\.ts$/.exec(file)?.[1] ?? '')
  .filter((name) => name !== 'run')
  .sort();
const names = words.filter((word) => known.includes(word));
const rest = words.filter((word) => !known.includes(word));
const isJson = (i: number): boolean => rest[i] === '--json' && rest[i + 1] !== undefined;
const unknown = rest.find((_, i) => !isJson(i) && !isJson(i - 1));
if (unknown !== undefined) {
  const all = `there are: ${known.join(', ')}; --json FILE keeps the last line`;
  const isAsked = unknown === '--help' || unknown === '-h';
  console.error(isAsked ? all : `no benchmark or option ${unknown}; ${all}`);
  process.exit(isAsked ? 0 : 3);
}
for (const name of names.length === 0 ? known : names) {
  const { status } = spawnSync(process.execPath, [`${folder}/${name}.ts`, ...rest], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
