/** What every part of the walk shares: the stack, the names, who is who. */
import { join } from 'node:path';
import type { RawRegistry } from './registry.ts';
import type { RunOptions, Server } from './tools.ts';

export interface World {
  /** Temporary folder of this run. */
  readonly work: string;
  /** Data directory of the stack. */
  readonly stackDir: string;
  readonly stack: Server;
  readonly origins: Readonly<Record<string, string>>;
  /** `127.0.0.1:PORT` */
  readonly registryHost: string;
  readonly raw: RawRegistry;
  /** How commands run: in the temporary folder, with the stack named by the environment. */
  readonly run: RunOptions;
}

export const SOURCE = 'https://github.com/acme/api';
export const RELEASE_WORKFLOW = `${SOURCE}/.github/workflows/release.yml@refs/tags/v1.4.2`;
export const BUILDER_ID = 'https://builder.acme.example/builders';

export const githubIssuer = (world: World): string => `${world.origins['oidc']}/github`;
export const workloadIssuer = (world: World): string => `${world.origins['oidc']}/workload`;

/** `repository` in the stack's registry. */
export const ref = (world: World, repository: string): string => `${world.registryHost}/${repository}`;

export const file = (world: World, name: string): string => join(world.work, name);

/** The flags that say "signed by the release workflow". */
export const byRelease = (world: World): string[] => [
  '--certificate-identity',
  RELEASE_WORKFLOW,
  '--certificate-oidc-issuer',
  githubIssuer(world),
];

/** A token shaped like the one GitHub gives the release workflow of `repository` on the tag. */
export const releaseRun = (repository: string, commit: string): object => ({
  github: { repository, ref: 'refs/tags/v1.4.2', sha: commit },
});

/** A person's e-mail, for the `--image` walk. */
export const PERSON = 'you@example.com';
