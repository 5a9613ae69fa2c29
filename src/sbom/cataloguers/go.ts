/** Go programs: the build information the linker puts into every binary (`go version -m`). */
import { utf8 } from '#base/bytes';
import { buildPurl } from '#formats/purl';
import type { Unknown } from '#formats/sbom';
import { NeedleScan } from '../scan-bytes.ts';
import type { Cataloguer, FoundPackage, ImageFile } from '../types.ts';
import { isProgram } from './elf.ts';
import { rewriteOldBuildInfo } from './go-old.ts';

/** The magic in the binary is FF, then this text; taken apart so that our own bundle does not carry it. */
const magic = new Uint8Array([0xff, ...utf8([' Go', 'buildinf:'].join(' '))]);
const HEADER_BYTES = 32;
const FLAGS_AT = 15;
const INLINE = 2;
const SENTINEL_BYTES = 16;
const INFO_MAX_BYTES = 2 * 1024 * 1024;
const JUDGED_BYTES = 256;
const decoder = new TextDecoder();

interface GoModule {
  readonly path: string;
  readonly version: string;
}

export interface GoBuildInfo {
  readonly goVersion: string;
  readonly main?: GoModule;
  readonly dependencies: readonly GoModule[];
  readonly settings: ReadonlyMap<string, string>;
}

export const go: Cataloguer = {
  name: 'go',
  reads: 'the build information in Go programs, both of its forms',
  types: ['golang'],
  evidence: 'installed',
  files: [],
  scanner: {
    accepts: (_base, _size, head) => isProgram(head),
    needsWhole: (found) => ((found[FLAGS_AT] ?? 0) & INLINE) === 0,
    start: () => {
      // The linker aligns the block to 16 bytes; it holds a header, the version and the module list.
      const needle = { bytes: magic, after: JUDGED_BYTES, keep: INFO_MAX_BYTES };
      const scan = new NeedleScan(needle, (bytes, at) => at % 16 === 0 && isPlausible(bytes));
      return {
        write: (chunk) => scan.write(chunk),
        end: () => {
          const bytes = scan.end();
          return bytes === undefined ? undefined : Uint8Array.from(bytes.subarray(0, usedBytes(bytes)));
        },
      };
    },
  },
  extractor: {
    extract: (bytes) => rewriteOldBuildInfo(bytes, magic),
  },
  catalogue(image) {
    const packages: FoundPackage[] = [];
    const unknowns: Unknown[] = [];
    for (const file of image.files) {
      const bytes = file.findings?.get('go');
      if (bytes === undefined) continue;
      const info = parseBuildInfo(bytes);
      if (typeof info === 'string') unknowns.push({ path: file.path, wantedBy: 'go', reason: info });
      else packages.push(...modulesOf(info, file, packages.length));
    }
    return { packages, unknowns };
  },
};

/** Pointer size 4 or 8, known flags, and for the inline form a version that reads as one, or cannot be read at all. */
function isPlausible(bytes: Uint8Array): boolean {
  const flags = bytes[15] ?? 255;
  const isHeader = bytes[14] === 4 || bytes[14] === 8;
  if ((flags & INLINE) === 0) return isHeader && flags <= 1;
  const version = inlineString(bytes, HEADER_BYTES);
  if (version === undefined) return isHeader && flags <= 3;
  return /^(?:go\d|devel)/.test(version.text);
}

function usedBytes(bytes: Uint8Array): number {
  const version = inlineString(bytes, HEADER_BYTES);
  const info = version === undefined ? undefined : inlineString(bytes, version.end);
  return info?.end ?? HEADER_BYTES;
}

/** A varint length and that many bytes. */
function inlineString(
  bytes: Uint8Array,
  at: number,
): { text: string; raw: Uint8Array; end: number } | undefined {
  let length = 0;
  let scale = 1;
  let next = at;
  for (; ; next++) {
    const byte = bytes[next];
    if (byte === undefined || next - at > 4) return undefined;
    length += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) break;
  }
  const start = next + 1;
  const end = start + length;
  if (end > bytes.length) return undefined;
  const raw = bytes.subarray(start, end);
  return { text: decoder.decode(raw), raw, end };
}

/** Parses the block at the magic; a text says why it cannot be. */
function parseBuildInfo(bytes: Uint8Array): GoBuildInfo | string {
  if (((bytes[15] ?? 0) & 2) === 0)
    return 'a Go program made before Go 1.18 whose module list is not where it should be';
  const version = inlineString(bytes, HEADER_BYTES);
  const info = version === undefined ? undefined : inlineString(bytes, version.end);
  if (version === undefined || info === undefined) return 'build information that ends early';
  const body = decoder.decode(info.raw.subarray(SENTINEL_BYTES, info.raw.length - SENTINEL_BYTES));
  let main: GoModule | undefined;
  const dependencies: GoModule[] = [];
  const settings = new Map<string, string>();
  for (const line of body.split('\n')) {
    const [key, path = '', moduleVersion = ''] = line.split('\t');
    // Built from a folder: nobody can tell its version.
    const module = { path, version: moduleVersion === '(devel)' ? '' : moduleVersion };
    if (key === 'mod') main = module;
    else if (key === 'dep') dependencies.push(module);
    else if (key === '=>' && dependencies.length > 0) {
      const replaced = dependencies.pop() as GoModule;
      dependencies.push(isLocal(path) ? { path: replaced.path, version: '' } : module);
    } else if (key === 'build') {
      const equals = path.indexOf('=');
      if (equals > 0) settings.set(path.slice(0, equals), path.slice(equals + 1));
    }
  }
  return {
    goVersion: version.text.split(' ')[0] ?? '',
    ...(main === undefined ? {} : { main }),
    dependencies,
    settings,
  };
}

/** A replacement by a folder of the builder names no module; the replaced one does, but its version is another. */
const isLocal = (path: string): boolean => /^\.{0,2}\//.test(path);

function modulesOf(info: GoBuildInfo, file: ImageFile, offset: number): FoundPackage[] {
  const stdlib = goPackage('stdlib', info.goVersion.replace(/^go/, ''), file);
  const dependencies = [stdlib, ...info.dependencies.map((one) => goPackage(one.path, one.version, file))];
  if (info.main === undefined) return dependencies;
  const version = /^v\d/.test(info.main.version) ? info.main.version : mainVersion(info.settings);
  const needs = dependencies.map((_, i) => offset + 1 + i);
  return [{ ...goPackage(info.main.path, version, file), needs }, ...dependencies];
}

/** A main module built from a checkout has no version; its commit is the truest thing to show. */
function mainVersion(settings: ReadonlyMap<string, string>): string {
  const revision = settings.get('vcs.revision');
  const time = settings.get('vcs.time')?.replace(/[-T:Z]/g, '');
  return revision === undefined || time === undefined ? '' : `v0.0.0-${time}-${revision.slice(0, 12)}`;
}

function goPackage(path: string, version: string, file: ImageFile): FoundPackage {
  const slash = path.lastIndexOf('/');
  const purl = buildPurl({
    type: 'golang',
    namespace: slash < 0 ? undefined : path.slice(0, slash),
    name: path.slice(slash + 1),
    version,
  });
  return {
    type: 'golang',
    name: path,
    version,
    purl: purl.ok ? purl.value : undefined,
    path: file.path,
    layer: file.layer,
    ...(path === 'stdlib' ? { cpes: [`cpe:2.3:a:golang:go:${version}:*:*:*:*:*:*:*`] } : {}),
  };
}
