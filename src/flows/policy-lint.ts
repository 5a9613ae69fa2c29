/** Use case: what is wrong with these policies, and with the command lines around them? */
import { type Finding, lintText } from '#policy';
import { readPolicyFiles } from './load-policies.ts';

/** Findings of every file, in the order given; within a file by position. */
export async function policyLint(files: readonly string[]): Promise<Finding[]> {
  const texts = await readPolicyFiles(files);
  return texts.flatMap(({ file, text }) => lintText(text, file));
}
