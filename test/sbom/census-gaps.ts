/** Why a proof of the census is missing: by kind, then by cataloguer. */
import type { ProofKind } from './census-record.ts';

export type Gaps = Readonly<Record<string, string | undefined>>;

const same = (reason: string, ...names: readonly string[]): Gaps =>
  Object.fromEntries(names.map((name) => [name, reason]));

/** Cataloguers whose census row Syft does not read as it does a real file: their package URLs are compared in the tree. */
export const purlsOfTree: readonly string[] = ['rpm', 'go', 'rust'];

const noSdk = 'Debian 12 packages no SDK of .NET, only a NuGet (2.8) that is older than its lock files';

export const gaps: Readonly<Record<ProofKind, Gaps>> = {
  tree: {
    ...same(noSdk, 'dotnet', 'nuget-lock'),
    ...same(
      'the Gradle that Debian 12 packages (4.4) is older than its lock files (4.8)',
      'gradle-lock',
      'gradle-verification',
    ),
    'pub-lock': 'Debian 12 packages no SDK of Dart',
    'swift-lock': 'Debian 12 packages no tool chain of Swift',
    'pod-lock': 'Debian 12 packages no CocoaPods',
  },
  fixtures: {
    ...same(
      'the published fixtures have none of its files',
      ...['portage', 'gem', 'go', 'rust', 'dotnet', 'conan', 'r', 'wordpress', 'binary', 'linux-kernel'],
      ...['conan-lock', 'mix-lock', 'nuget-lock', 'pod-lock', 'pub-lock', 'rebar-lock', 'swift-lock'],
    ),
    java: 'the published fixtures are manifests without their archives',
    'deno-lock': 'the published fixture counts addresses of single modules as packages',
  },
  purls: {
    portage: 'Syft writes the category into the name, with its slash escaped',
    dotnet: 'Syft lists a library only where it can read the program file of it as well',
    conan:
      'Syft writes `_` for a user and a channel that are not there, and does not read the cache of Conan 2',
    ...same('Syft writes no package URL for it', 'conda', 'wordpress'),
    'gradle-verification': 'Syft does not read it',
    'cargo-lock': 'Syft writes no package URL for the project itself; the others are the same',
    'pub-lock': 'Syft writes the default host as well',
    'pod-lock': 'Syft writes the part of a pod into its name, with the slash escaped',
  },
};
