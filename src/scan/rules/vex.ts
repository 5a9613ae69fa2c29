/** Which statements of VEX documents are about a finding, and what the latest of them says. */
import { type Purl, parsePurl } from '#formats/purl';
import type { SbomSubject } from '#formats/sbom';
import type { VexDocument, VexProduct, VexStatement } from '#formats/vex';
import type { Finding, Suppressed } from '../finding.ts';

export interface VexFile {
  readonly file: string;
  readonly document: VexDocument;
}

export interface VexAnswer {
  readonly statement: VexStatement;
  readonly file: string;
}

/** Documents of one scan, parsed once. */
export class VexRules {
  readonly #byId = new Map<string, VexAnswer[]>();
  readonly #subject: SbomSubject;

  constructor(files: readonly VexFile[], subject: SbomSubject) {
    this.#subject = subject;
    for (const { file, document } of files) {
      for (const statement of document.statements) {
        for (const id of statement.ids) {
          this.#byId.set(id, [...(this.#byId.get(id) ?? []), { statement, file }]);
        }
      }
    }
  }

  /** The latest statement about a finding; of equal age the one given last. */
  find(finding: Finding): VexAnswer | undefined {
    let latest: VexAnswer | undefined;
    for (const id of [finding.id, ...finding.aliases, ...finding.advisories]) {
      for (const answer of this.#byId.get(id) ?? []) {
        if (!answer.statement.products.some((one) => this.#isAbout(one, finding))) continue;
        const age = answer.statement.atMs ?? 0;
        if (latest === undefined || age >= (latest.statement.atMs ?? 0)) latest = answer;
      }
    }
    return latest;
  }

  #isAbout({ ids, parts }: VexProduct, finding: Finding): boolean {
    const own = finding.package.purl;
    const isPackage = (text: string): boolean => own !== undefined && purlCovers(text, own);
    if (parts.length === 0 && ids.some(isPackage)) return true;
    if (!ids.some((id) => namesImage(id, this.#subject))) return false;
    return parts.length === 0 || parts.some(isPackage);
  }
}

/** `not_affected` and `fixed` take a finding off the list. */
export function suppressedByVex(finding: Finding, { statement, file }: VexAnswer): Suppressed | undefined {
  const { status, justification, impact } = statement;
  if (status !== 'not_affected' && status !== 'fixed') return undefined;
  const why = [justification?.replaceAll('_', ' '), impact].filter((one) => one !== undefined).join(': ');
  return {
    finding,
    by: 'vex',
    reason: why === '' ? status.replaceAll('_', ' ') : why,
    file,
    vex: { status, ...(justification === undefined ? {} : { justification }) },
  };
}

/** A purl covers another when everything it says holds there; it may say less, never something else. */
export function purlCovers(wanted: string, actual: string): boolean {
  const [a, b] = [parsed(wanted), parsed(actual)];
  if (a === undefined || b === undefined) return false;
  if (a.type !== b.type || a.namespace !== b.namespace || a.name !== b.name) return false;
  if (a.version !== undefined && a.version !== b.version) return false;
  return [...a.qualifiers].every(([key, value]) => b.qualifiers.get(key) === value);
}

function parsed(text: string): Purl | undefined {
  if (!text.startsWith('pkg:')) return undefined;
  const purl = parsePurl(text, { lenient: true });
  return purl.ok ? purl.value : undefined;
}

/** An image by digest, by repository, or both; Docker Hub has three names. */
function namesImage(id: string, { name, digest, tag }: SbomSubject): boolean {
  const purl = parsed(id);
  if (purl === undefined) return textNames(id, name, digest, tag);
  if (purl.type !== 'oci' && purl.type !== 'docker') return false;
  const url = purl.qualifiers.get('repository_url');
  if (purl.version?.startsWith('sha256:') === true && purl.version !== digest) return false;
  if (purl.version !== undefined && !purl.version.startsWith('sha256:') && purl.version !== tag) return false;
  if (url !== undefined)
    return repository(url) === repository(name) || `${repository(url)}/${purl.name}` === repository(name);
  return purl.version === digest || repository(name).split('/').at(-1) === purl.name;
}

function textNames(id: string, name: string, digest: string | undefined, tag: string | undefined): boolean {
  if (/^sha256:[0-9a-f]{64}$/.test(id)) return id === digest;
  const [path = '', pinned] = id.split('@');
  if (pinned !== undefined && pinned !== digest) return false;
  const named = /^(.*):([\w][\w.-]*)$/.exec(path);
  if (named === null || (named[2] ?? '').includes('/')) return repository(path) === repository(name);
  return repository(named[1] as string) === repository(name) && (pinned !== undefined || named[2] === tag);
}

const repository = (name: string): string =>
  name
    .replace(/^(?:index\.docker\.io|registry-1\.docker\.io)\//, 'docker.io/')
    .replace(/^docker\.io\/library\//, 'docker.io/');
