/** Package URLs that real Syft writes of a folder. */
import assert from 'node:assert/strict';
import { run } from '#platform/process';
import { cataloguers } from '#sbom';
import { requirePeer } from './cache.ts';

export interface SyftArtifact {
  readonly name: string;
  readonly type: string;
  readonly purl: string;
  readonly locations: readonly { readonly path: string }[];
}

/** What is installed in a folder, and what files in it declare: Syft looks for one or the other. */
export async function syftArtifacts(folder: string): Promise<readonly SyftArtifact[]> {
  const binary = requirePeer('syft');
  const found: SyftArtifact[] = [];
  for (const set of ['image', 'directory']) {
    const argv = ['scan', `dir:${folder}`, '-q', '--override-default-catalogers', set, '-o', 'syft-json'];
    const { code, stdout, stderr } = await run(binary, argv, { timeoutMs: 120_000 });
    assert.equal(code, 0, stderr);
    found.push(...(JSON.parse(stdout) as { artifacts: readonly SyftArtifact[] }).artifacts);
  }
  return found;
}

/** Of the types of one of our cataloguers, sorted. */
export async function syftPurls(folder: string, cataloguer: string): Promise<string[]> {
  const types = cataloguers.find(({ name }) => name === cataloguer)?.types ?? [];
  const purls = (await syftArtifacts(folder)).map(({ purl }) => purl);
  const isOfType = (purl: string): boolean => types.some((type) => purl.startsWith(`pkg:${type}/`));
  return [...new Set(purls.filter(isOfType))].sort();
}
