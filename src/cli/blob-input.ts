/** Files to sign as the command line names them: paths, `-` for standard input, and digests. */
import { basename, resolve } from 'node:path';
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import type { Blob } from '#flows/sign-blob';
import { fileChunks, inputChunks } from '#platform/files';
import type { CliContext } from './context.ts';
import { R } from './reasons.ts';

/** WB-1305 when nothing is named, or standard input twice. */
export function blobsFrom(files: readonly string[], digests: readonly string[], context: CliContext): Blob[] {
  if (files.length + digests.length === 0) {
    throw fail(R.optionValue, { expected: 'a file, - for standard input, or --digest', actual: 'none' });
  }
  if (files.filter((file) => file === '-').length > 1) {
    throw fail(R.optionValue, { expected: 'standard input once', actual: 'several times' });
  }
  return [
    ...files.map((file): Blob => {
      const isInput = file === '-';
      const content = () => (isInput ? inputChunks() : fileChunks(resolve(context.cwd, file)));
      return { kind: 'file', name: isInput ? '' : basename(file), content };
    }),
    ...digests.map((text): Blob => ({ kind: 'digest', name: '', digest: unwrap(parseDigest(text)) })),
  ];
}
