/** Policy files as one set. */
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { unwrap } from '#base/result';
import { readFileLimited } from '#platform/files';
import { type PolicyFile, type PolicySet, parsePolicyFiles } from '#policy';

/** Texts of the files, in the order given. Throws WB-209 for a file that cannot be read. */
export function readPolicyFiles(files: readonly string[]): Promise<PolicyFile[]> {
  return Promise.all(
    files.map(async (file) => ({ file, text: utf8Text(await readFileLimited(file, limits.policyBytes)) })),
  );
}

/** Throws WB-720…WB-732 for what is in the files. */
export async function loadPolicies(files: readonly string[]): Promise<PolicySet> {
  return unwrap(parsePolicyFiles(await readPolicyFiles(files)));
}
