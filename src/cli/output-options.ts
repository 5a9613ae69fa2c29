/** `-o FORMAT` and `-o FORMAT=FILE`. */
import { resolve } from 'node:path';
import { fail } from '#base/reason';
import { R } from './reasons.ts';

export interface Output<F> {
  readonly format: F;
  /** Standard output when absent. */
  readonly file?: string;
}

/** What several documents may go to: what takes bytes and keeps none. `/dev/shm` holds files. */
const isDevice = (path: string): boolean => /^\/dev\/(?:null|stdout|stderr|tty|fd\/\d+)$/.test(path);

/**
 * `parse` throws for a format that is not known; WB-1305 when the name of the file is empty, and for a file that is to
 * take two documents.
 */
export function outputsFrom<F>(words: readonly string[], parse: (name: string) => F): Output<F>[] {
  const taken = new Set<string>();
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) return { format: parse(word) };
    const file = word.slice(equals + 1);
    if (file === '') throw fail(R.optionValue, { expected: '--output FORMAT=FILE', actual: word });
    const path = resolve(file);
    if (taken.has(path) && !isDevice(path)) {
      throw fail(R.optionValue, { expected: 'a file of its own for each output', actual: `${file} twice` });
    }
    taken.add(path);
    return { format: parse(word.slice(0, equals)), file };
  });
}
