/**
 * `npm run bench [-- NAME]`: ratios to floors measured in the same run. Each benchmark ends with one JSON line
 * `{"bench":…,"ratios":{…},"pass":…}`; the exit code says whether all passed.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const known = globSync('bench/*.ts')
  .map((file) => /([^/\\]+)\.ts$/.exec(file)?.[1] ?? '')
  .filter((name) => name !== 'run' && name !== 'report')
  .sort();
const words = process.argv.slice(2);
const names = words.filter((word) => known.includes(word));
const rest = words.filter((word) => !known.includes(word));
const unknown = rest.find((word) => !word.startsWith('-') && rest[rest.indexOf(word) - 1] !== '--json');
if (unknown !== undefined) {
  console.error(`no benchmark ${unknown}; there are: ${known.join(', ')}`);
  process.exit(3);
}
for (const name of names.length === 0 ? known : names) {
  const { status } = spawnSync(process.execPath, [`bench/${name}.ts`, ...rest], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
