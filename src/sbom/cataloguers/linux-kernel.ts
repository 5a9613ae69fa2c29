/** Linux kernels and their modules. Modules need the kernels of their release that are there. */
import { utf8 } from '#base/bytes';
import { escaped } from '#formats/cpe';
import type { JsonObject } from '#formats/json';
import type { Unknown } from '#formats/sbom';
import { baseOf } from '../paths.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { jsonObject, packageIn, stringIn } from './common.ts';
import { kernelScan } from './kernel-image.ts';
import { readKernelModule } from './kernel-module.ts';

const NAME = 'linux-kernel';
const MODULE = 'linux-kernel-module';
const pack = (facts: object): Uint8Array => utf8(JSON.stringify(facts));
const isImageName = (base: string): boolean => /^(?:kernel|vmlinu[xz])(?:-|$)/.test(base);

export const linuxKernel: Cataloguer = {
  name: NAME,
  reads: 'kernel images (`vmlinuz`) and the modules in `lib/modules`, plain or compressed with gzip or zstd',
  types: [NAME, MODULE],
  evidence: 'installed',
  files: [
    {
      endings: ['.ko', '.gz', '.zst', '.xz'],
      path: /(?:^|\/)lib\/modules\/.+\.ko(?:\.(?:gz|zst|xz))?$/,
    },
  ],
  scanner: {
    accepts: isImageName,
    start: (base) => kernelScan(base, pack),
  },
  extractor: {
    // No decoder for it is at hand; they are told together.
    extract: (bytes, base, memory) =>
      pack(base.endsWith('.xz') ? { packed: 'xz' } : readKernelModule(bytes, base, memory)),
  },
  catalogue(image) {
    const unknowns: Unknown[] = [];
    const images: FoundPackage[] = [];
    const modules: { readonly file: ImageFile; readonly facts: JsonObject }[] = [];
    const packed = new Map<string, number>();
    for (const file of image.files) {
      try {
        const facts = factsOf(file);
        if (facts === undefined) continue;
        const problem = stringIn(facts, 'problem');
        if (problem !== undefined) throw new Error(problem);
        if (stringIn(facts, 'packed') !== undefined) {
          const folder = releaseFolder(file.path);
          packed.set(folder, (packed.get(folder) ?? 0) + 1);
        } else if (stringIn(facts, 'name') === undefined) images.push(kernelPackage(file, facts));
        else modules.push({ file, facts });
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        unknowns.push({ path: file.path, wantedBy: NAME, reason });
      }
    }
    for (const [path, count] of packed) {
      const modulesOf = count === 1 ? '1 kernel module' : `${count} kernel modules`;
      unknowns.push({ path, wantedBy: NAME, reason: `${modulesOf} compressed with xz; not read` });
    }
    const releases = Map.groupBy(images.keys(), (at) => (images[at] as FoundPackage).version);
    const found = modules.map(({ file, facts }) =>
      modulePackage(file, facts, releases.get(stringIn(facts, 'kernel') ?? '') ?? []),
    );
    return { packages: [...images, ...found], unknowns };
  },
};

/** Of a file that only links lead to, the content was kept. */
function factsOf(file: ImageFile): JsonObject | undefined {
  const found =
    file.findings?.get(NAME) ??
    (file.bytes.length === 0 ? undefined : linuxKernel.extractor?.extract(file.bytes, baseOf(file.path)));
  return found === undefined ? undefined : jsonObject(found);
}

/** `lib/modules/RELEASE`. */
const releaseFolder = (path: string): string =>
  /^(?:.*?\/)?lib\/modules(?:\/[^/]+(?=\/))?/.exec(path)?.[0] ?? path;

function kernelPackage(file: ImageFile, facts: JsonObject): FoundPackage {
  const version = stringIn(facts, 'kernel') ?? '';
  const cpes = [`cpe:2.3:o:linux:linux_kernel:${escaped(version)}:*:*:*:*:*:*:*`];
  return packageIn(file, { type: 'generic', name: NAME, version }, { type: NAME, cpes });
}

function modulePackage(file: ImageFile, facts: JsonObject, needs: readonly number[]): FoundPackage {
  const name = stringIn(facts, 'name') ?? '';
  const license = stringIn(facts, 'license');
  return packageIn(
    file,
    { type: 'generic', name, version: stringIn(facts, 'version') ?? '' },
    {
      type: MODULE,
      licenses: license === undefined ? [] : [license],
      description: stringIn(facts, 'description'),
      needs,
    },
  );
}
