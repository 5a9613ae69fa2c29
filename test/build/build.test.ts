import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const node = process.execPath;

test('what npm run build makes runs: the command line from one file, the library by its subpaths', () => {
  execFileSync(node, ['build/build.ts'], { stdio: 'pipe' });
  const { version, exports } = JSON.parse(readFileSync('dist/package.json', 'utf8')) as {
    version: string;
    exports: Record<string, unknown>;
  };
  assert.equal(execFileSync(node, ['dist/bin/waybill', 'version'], { encoding: 'utf8' }).trim(), version);
  const status = execFileSync(node, ['dist/bin/waybill', 'db', 'status', '--json'], { encoding: 'utf8' });
  assert.match(status, /"schema":"waybill\.dev\//);
  const script = `
    import { parseBundle } from 'waybill/formats/bundle';
    import { verifyBundle } from 'waybill/verify';
    import { signImage } from 'waybill/flows/sign-image';
    console.log(typeof parseBundle, typeof verifyBundle, typeof signImage);`;
  // Inside dist the package refers to itself by name, as its users do.
  const out = execFileSync(node, ['--input-type=module', '-e', script], { cwd: 'dist', encoding: 'utf8' });
  assert.equal(out.trim(), 'function function function');
  assert.ok(Object.keys(exports).length >= 12);
  assert.equal(JSON.stringify(exports).includes('./lib/base'), false, 'base stays closed');
});
