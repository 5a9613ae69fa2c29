/** Ten argument vectors of scripts written for cosign, read as Go's flag package reads them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command, CommanderError } from 'commander';
import { WaybillError } from '#base/reason';
import { normaliseArgv } from '../../src/cli/argv.ts';
import { refuseRepeats, usageError } from '../../src/cli/usage.ts';

interface Parsed {
  readonly images: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
}

/** A command with every kind of option our verbs have. */
function parse(...words: string[]): Parsed {
  let parsed: Parsed | undefined;
  const program = new Command('waybill').exitOverride().configureOutput({ writeErr: () => {} });
  const list = (value: string, before: readonly string[]): string[] => [...before, value];
  const sign = program
    .command('sign')
    .argument('[image...]')
    .option('-a, --annotations <key=value>', '', list, [])
    .option('-y, --yes', '')
    .option('--tlog-upload', '')
    .option('--no-tlog-upload', '')
    .option('--new-bundle-format <bool>', '')
    .option('--key <file>', '')
    .option('--rekor-url <url>', '')
    .option('--timeout <duration>', '')
    .option('--certificate-identity <name>', '')
    .action((images: string[], flags: Record<string, unknown>) => {
      parsed = { images, flags };
    })
    .copyInheritedSettings(program);
  refuseRepeats(sign);
  const argv = ['sign', ...words];
  try {
    program.parse(normaliseArgv(argv, program), { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError ? usageError(error, argv, program) : error;
  }
  if (parsed === undefined) assert.fail('the action did not run');
  return parsed;
}

function codeOf(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof WaybillError) return `${error.reason.code} ${error.reason.exit}`;
    throw error;
  }
  return 'accepted';
}

test('1: --new-bundle-format=false reaches an option with a value as text', () => {
  assert.equal(parse('--new-bundle-format=false', 'img').flags['newBundleFormat'], 'false');
});

test('2: --yes=true is the boolean, --yes=false is its absence, and neither swallows the image', () => {
  assert.deepEqual(parse('--yes=true', 'img'), { images: ['img'], flags: { ...bare, yes: true } });
  assert.deepEqual(parse('--yes=false', 'img'), { images: ['img'], flags: bare });
  assert.equal(parse('--tlog-upload=false', 'img').flags['tlogUpload'], false);
  assert.equal(parse('--tlog-upload=T', 'img').flags['tlogUpload'], true);
  assert.equal(codeOf('--yes=perhaps', 'img'), 'WB-1301 3');
});

const bare = { annotations: [] };

test('3: -a twice keeps both', () => {
  assert.deepEqual(parse('-a', 'k=v', '-a', 'x=y', 'img').flags['annotations'], ['k=v', 'x=y']);
});

test('4: -ak=v is -a k=v', () => {
  assert.deepEqual(parse('-ak=v', 'img').flags['annotations'], ['k=v']);
});

test('5: --key - is a value', () => {
  assert.deepEqual(parse('--key', '-', 'img'), { images: ['img'], flags: { ...bare, key: '-' } });
});

test('6: --rekor-url= is the empty text, not the next word', () => {
  assert.deepEqual(parse('--rekor-url=', 'img'), { images: ['img'], flags: { ...bare, rekorUrl: '' } });
});

test('7: --timeout -1s is a value although it begins with a dash', () => {
  assert.deepEqual(parse('--timeout', '-1s', 'img'), { images: ['img'], flags: { ...bare, timeout: '-1s' } });
});

test('8: after -- everything is an argument, also --yes=true', () => {
  assert.deepEqual(parse('--', '--weird', '--yes=true').images, ['--weird', '--yes=true']);
});

test('9: an unknown flag is refused, misspelt ones with the nearest name', () => {
  assert.equal(codeOf('--nope', 'img'), 'WB-1301 3');
  assert.throws(() => parse('--certificate-identiti', 'me', 'img'), /did you mean --certificate-identity\?/);
});

test('10: a flag after the image counts', () => {
  assert.deepEqual(parse('img', '--key', 'k'), { images: ['img'], flags: { ...bare, key: 'k' } });
});

test('two values for an option that takes one are refused; the same value twice is harmless', () => {
  assert.equal(codeOf('--certificate-identity', 'a', '--certificate-identity=b', 'img'), 'WB-1305 3');
  assert.equal(codeOf('--certificate-identity', 'a', '--certificate-identity=a', 'img'), 'accepted');
});

test('a boolean is true or false and nothing else, and the refusal says so', () => {
  for (const word of ['--yes=maybe', '--yes=', '--tlog-upload=2']) {
    assert.throws(
      () => parse(word, 'img'),
      (error) =>
        error instanceof WaybillError && /^--[a-z-]+ is true or false, not "/.test(error.reason.actual),
    );
    assert.equal(codeOf(word, 'img'), 'WB-1301 3');
  }
  assert.equal(codeOf('--rekor-url=maybe', 'img'), 'accepted');
});
