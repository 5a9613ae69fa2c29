/** Which distribution an image is: os-release(5), and what stands in for it where it is missing. */
import { type Distro, distroText } from '#formats/sbom';
import type { ImageFile, ImageFiles, PathRule } from './types.ts';

/** Files the detection reads; `os-release` also where distributions keep the target of their link. */
export const distroFiles: readonly PathRule[] = [
  { names: ['os-release'] },
  { names: ['alpine-release', 'debian_version'], path: /^etc\// },
];

export function detectDistro(image: ImageFiles): Distro | undefined {
  for (const path of ['etc/os-release', 'usr/lib/os-release']) {
    const file = image.find(path);
    const distro = file === undefined ? undefined : parseOsRelease(text(file));
    if (distro !== undefined) return distro;
  }
  const alpine = image.find('etc/alpine-release');
  if (alpine !== undefined) return { id: 'alpine', versionId: text(alpine).trim(), idLike: [] };
  const debian = image.find('etc/debian_version');
  const major = debian === undefined ? undefined : /^(\d+)/.exec(text(debian))?.[1];
  return major === undefined ? undefined : { id: 'debian', versionId: major, idLike: [] };
}

const text = (file: ImageFile): string => new TextDecoder().decode(file.bytes.subarray(0, 64 * 1024));

/** Parses os-release; undefined without an ID of the allowed form. */
function parseOsRelease(content: string): Distro | undefined {
  const fields = new Map<string, string>();
  for (const line of content.split('\n')) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line);
    if (match !== null) fields.set(match[1] as string, unquote((match[2] as string).trim()));
  }
  const id = fields.get('ID')?.toLowerCase();
  if (id === undefined || !/^[a-z0-9._-]+$/.test(id)) return undefined;
  const versionId = fields.get('VERSION_ID');
  const prettyName = fields.get('PRETTY_NAME');
  return {
    id,
    ...(versionId === undefined || versionId === '' ? {} : { versionId }),
    idLike: (fields.get('ID_LIKE') ?? '').split(/\s+/).filter((one) => one !== ''),
    ...(prettyName === undefined || prettyName === '' ? {} : { prettyName }),
  };
}

function unquote(value: string): string {
  const quote = value[0];
  if ((quote !== '"' && quote !== "'") || value.at(-1) !== quote || value.length < 2) return value;
  const inner = value.slice(1, -1);
  return quote === '"' ? inner.replace(/\\(["$`\\])/g, '$1') : inner;
}

export { distroText };
