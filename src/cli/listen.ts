/** `--listen HOST:PORT`, `[::1]:8080` included. */
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export function addressOf(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw fail(R.optionValue, { expected: '--listen HOST:PORT', actual: JSON.stringify(text) });
  }
  return { host: match[1] ?? (match[2] as string), port };
}
