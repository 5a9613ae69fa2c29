/** Command lines put to the real cosign and to `waybill cosign`, and what both have to have in common. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpTransport } from '#platform/http-client';
import { type Told, tellIn } from '../cli/in-process.ts';
import { type Ran, runProgram } from './stack-image.ts';

export interface Row {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Only the exit codes are compared, because. */
  readonly differs?: string;
  /** For the name of the test, where the words alone do not tell. */
  readonly about?: string;
  /** Both must end with this. */
  readonly code?: number;
}

export const row = (...args: string[]): Row => ({ args });

/** What the shell of a real command line would have done: `--flag=false` is rewritten before it is parsed. */
const normal = (word: string): string =>
  word.replace(/^--([a-z-]+)=false$/, (whole, name: string) => (negated.has(name) ? `--no-${name}` : whole));
const negated: ReadonlySet<string> = new Set([
  'check-claims',
  'new-bundle-format',
  'show-descriptions',
  'tlog-upload',
  'use-signing-config',
  'upload',
  'b64',
]);

export interface SideBySide {
  readonly real: (args: readonly string[], env?: Readonly<Record<string, string>>) => Promise<Ran>;
  /** The real one, which has to succeed. */
  readonly done: (...args: string[]) => Promise<Ran>;
  readonly ours: (one: Row) => Promise<Told>;
  readonly compare: (one: Row) => Promise<{ readonly theirs: Ran; readonly told: Told }>;
  readonly titleOf: (one: Row) => string;
  /** A test for each row. */
  readonly testRows: (rows: readonly Row[]) => void;
}

/** `baseEnv` is the whole environment of both; names that begin with one of `hidden` are shortened in titles. */
export function sideBySide(
  binary: string,
  baseEnv: Readonly<Record<string, string>> & { readonly HOME: string },
  hidden: readonly string[] = [],
): SideBySide {
  const real: SideBySide['real'] = (args, env = {}) => runProgram(binary, args, { ...baseEnv, ...env });
  const done: SideBySide['done'] = async (...args) => {
    const ran = await real(args);
    assert.equal(ran.code, 0, `${args.join(' ')}\n${ran.stderr}`);
    return ran;
  };
  const ours: SideBySide['ours'] = ({ args, env }) =>
    tellIn({ env: { ...baseEnv, ...env }, cwd: baseEnv.HOME, transport: httpTransport() }, [
      'cosign',
      ...args.map(normal),
    ]);
  const compare: SideBySide['compare'] = async (one) => {
    const [theirs, told] = await Promise.all([real(one.args, one.env), ours(one)]);
    const words = `${told.stderr}\n${told.reason?.actual ?? ''}\ncosign: ${theirs.stderr}`;
    assert.equal(told.exit, theirs.code, words);
    if (one.code !== undefined) assert.equal(theirs.code, one.code, words);
    if (theirs.code === 0) assert.deepEqual(said(told.stderr, one), said(theirs.stderr, one));
    if (one.differs === undefined) {
      // cosign's tree walks a Go map: its order is another each time.
      const form = one.args[0] === 'tree' ? sortedLines : printed;
      assert.deepEqual(form(told.stdout), form(theirs.stdout));
    }
    return { theirs, told };
  };
  const shortened = (word: string): string =>
    [baseEnv.HOME, ...hidden]
      .reduce((text, folder) => text.replaceAll(folder, ''), word)
      .replace(/@sha256:[0-9a-f]+/, '');
  const titleOf: SideBySide['titleOf'] = ({ args, about }) => {
    const words = args.map(shortened).join(' ');
    return about === undefined ? words : `${about}: ${words}`;
  };
  const testRows: SideBySide['testRows'] = (rows) => {
    for (const one of rows) {
      test(titleOf(one), async () => {
        await compare(one);
      });
    }
  };
  return { real, done, ours, compare, testRows, titleOf };
}

/** JSON by its values, one document a line; anything else as text. */
export function printed(text: string): unknown {
  try {
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  } catch {
    return text.trim();
  }
}

/** The lines about what was verified, which scripts look for on standard error. */
const said = (stderr: string, { args }: Row): string[] =>
  stderr
    .split('\n')
    .filter((line) =>
      /^(?:Verification for|The following checks| {2}- |Verified OK|Certificate |GitHub Workflow)/.test(line),
    )
    // Of bundles cosign says so too where it was told not to look.
    .filter((line) => !args.includes('--insecure-ignore-tlog') || !line.includes('Existence of the claims'));

const sortedLines = (text: string): string[] => text.trim().split('\n').sort();
