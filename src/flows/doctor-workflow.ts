/** Use case: are these workflows fit for SLSA Build level 3? Reads the files; the doctor judges them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Text } from '#base/bytes';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { type Diagnosis, type ExamineOptions, examineWorkflows, type WorkflowFile } from '#doctor';
import { readFileLimited } from '#platform/files';
import { R } from './doctor-reasons.ts';

export interface ExaminedWorkflows extends Diagnosis {
  readonly files: readonly string[];
}

/**
 * `paths`: files, folders of workflows, or repositories with `.github`. Throws WB-209 (no such file), WB-935 (a
 * folder without workflows), WB-770 and WB-771 (with the position).
 */
export async function doctorWorkflow(
  paths: readonly string[],
  options: ExamineOptions = {},
): Promise<ExaminedWorkflows> {
  const names = new Set<string>();
  for (const path of paths) for (const name of await filesAt(path)) names.add(name);
  const files: WorkflowFile[] = [];
  for (const file of names) {
    files.push({ file, text: utf8Text(await readFileLimited(file, limits.workflowBytes)) });
  }
  return { ...unwrap(examineWorkflows(files, options)), files: [...names] };
}

async function filesAt(path: string): Promise<readonly string[]> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    // Reading it says why it cannot be read.
    () => false,
  );
  if (!isFolder) return [path];
  const inside = await workflowsOf(join(path, '.github', 'workflows'));
  const found =
    inside.length > 0
      ? [...inside, ...(await actionsOf(path))]
      : [...(await workflowsOf(path)), ...(await actionsOf(repositoryOf(path)))];
  if (found.length > 0) return found;
  throw fail(R.noWorkflows, {
    expected: `*.yml or *.yaml in ${path} or its .github/workflows`,
    actual: 'none',
  });
}

/** `x` of `x/.github/workflows`; for any other folder there is no place to look for local actions. */
const repositoryOf = (path: string): string | undefined =>
  /^(.*?)\/?\.github\/workflows\/*$/.exec(path)?.[1] ?? undefined;

const isYaml = (name: string): boolean => /\.ya?ml$/.test(name);

async function workflowsOf(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  return names.filter(isYaml).map((name) => join(folder, name));
}

/** The local actions of a repository, where people put them. */
async function actionsOf(root: string | undefined): Promise<string[]> {
  if (root === undefined) return [];
  const folder = join(root, '.github', 'actions');
  const own = (await namesIn(root === '' ? '.' : root)).filter((name) => /^action\.ya?ml$/.test(name));
  const found = own.map((name) => join(root, name));
  for (const name of await namesIn(folder)) {
    const inside = (await namesIn(join(folder, name))).filter((one) => /^action\.ya?ml$/.test(one));
    found.push(...inside.map((one) => join(folder, name, one)));
  }
  return found;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
