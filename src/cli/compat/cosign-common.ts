/** What the commands of `waybill cosign` share: flags, exit codes, the way a refusal is told. */
import { fail, type Reason, WaybillError } from '#base/reason';
import type { CliContext } from '../context.ts';
import { R } from '../reasons.ts';
import { plainLine } from '../render/plain.ts';

/** Collects a repeatable option. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** cosign_errors: 10 no signature, 11 no such image, 12 none matches, 13 no certificate; everything else is 1. */
const exits: Readonly<Record<number, number>> = { 10: 10, 11: 11, 12: 12, 13: 13, 14: 12, 15: 12 };

export const cosignExit = (native: number): number => exits[native] ?? 1;

/** cosign's sentence for the exit code, then our reason. */
export function errorText(why: Reason): string {
  return sentenceFor(cosignExit(why.exit), why);
}

const sentences: Readonly<Record<number, string>> = {
  10: 'no signatures found',
  11: 'image tag not found',
  12: 'no matching signatures',
  13: 'no certificate found on signature',
};

/** Reasons about words this mode does not translate: they are told as every usage error. */
const aboutWords: ReadonlySet<string> = new Set([R.compat.code, R.compatFlag.code]);

export interface CosignErrors {
  /** cosign's exit code for a reason. Default: 1, as for nearly everything. */
  readonly exitOf?: (why: Reason) => number;
}

/** Runs a command that is told as cosign does; a refusal ends with `Error: …` and cosign's exit code. */
export async function asCosign(
  context: CliContext,
  { exitOf = () => 1 }: CosignErrors,
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    const { asFileError } = await import('#platform/files');
    const told = error instanceof WaybillError ? error : asFileError(error);
    if (told === undefined || aboutWords.has(told.reason.code)) throw told ?? error;
    const code = exitOf(told.reason);
    context.stderr(`Error: ${plainLine(sentenceFor(code, told.reason))}`);
    context.exit(code);
  }
}

/** cosign's sentence for an exit code of its own, then our reason. */
function sentenceFor(code: number, why: Reason): string {
  const said = sentences[code];
  const ours = `${why.check} (${why.code}): expected ${why.expected}, got ${why.actual}; ${why.hint}`;
  return said === undefined ? ours : `${said}: ${ours}`;
}

/** A refusal of cosign's own, before anything is asked. */
export const cosignRule = (sentence: string): WaybillError =>
  fail(R.compat, {
    expected: 'flags that cosign takes together',
    actual: sentence,
    hint: 'see cosign --help',
  });

/** Whole seconds as protobuf's JSON writes them, without a fraction. */
export const wholeSeconds = (json: string): string => json.replaceAll(/(T\d\d:\d\d:\d\d)\.000Z"/g, '$1Z"');
