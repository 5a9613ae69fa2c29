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
  /** Which of the files. */
  readonly at: number;
}

/** Clocks differ: what is not further ahead than this is not from the future. */
const CLOCK_LEEWAY_MS = 10 * 60_000;

/** Of statements of one time that contradict each other, the one of the highest rank counts: the finding stays. */
const rankOf = ({ status }: VexStatement): number =>
  status === 'not_affected' || status === 'fixed' ? 0 : 1;

/** Documents of one scan, parsed once. */
export class VexRules {
  readonly #byId = new Map<string, VexAnswer[]>();
  readonly #subject: SbomSubject;
  /** What does not count, a line for each document. */
  readonly notes: readonly string[];
  /** With how many statements count, of all there are. */
  readonly files: readonly { readonly file: string; readonly counted: number; readonly all: number }[];

  /** What is dated after `nowMs`, in milliseconds, does not count: it would overrule everything said until then. */
  constructor(files: readonly VexFile[], subject: SbomSubject, nowMs: number) {
    this.#subject = subject;
    const notes: string[] = [];
    const counts: { file: string; counted: number; all: number }[] = [];
    for (const [at, { file, document }] of files.entries()) {
      const isAhead = ({ atMs = 0 }: VexStatement): boolean => atMs > nowMs + CLOCK_LEEWAY_MS;
      const ahead = document.statements.filter(isAhead);
      if (ahead.length > 0) notes.push(aheadNote(file, ahead));
      const all = document.statements.length;
      counts.push({ file, counted: all - ahead.length, all });
      for (const statement of document.statements) {
        if (isAhead(statement)) continue;
        for (const id of statement.ids) {
          const known = this.#byId.get(id);
          if (known === undefined) this.#byId.set(id, [{ statement, file, at }]);
          else known.push({ statement, file, at });
        }
      }
    }
    this.notes = notes;
    this.files = counts;
  }

  /**
   * The latest statement about a finding; one without a date is older than all. Of equal age one that leaves the
   * finding where it is goes before one that takes it off; then the one given last.
   */
  find(finding: Finding): VexAnswer | undefined {
    let latest: VexAnswer | undefined;
    for (const answer of this.#answers(finding)) {
      if (latest === undefined || countsOver(answer.statement, latest.statement)) latest = answer;
    }
    return latest;
  }

  /** Places in `files` of those that say something about one of the findings, whatever it is. */
  filesAbout(findings: readonly Finding[]): ReadonlySet<number> {
    const met = new Set<number>();
    for (const finding of findings) {
      if (met.size === this.files.length) break;
      for (const { at } of this.#answers(finding)) met.add(at);
    }
    return met;
  }

  *#answers(finding: Finding): Generator<VexAnswer> {
    for (const id of [finding.id, ...finding.aliases, ...finding.advisories]) {
      for (const answer of this.#byId.get(id) ?? []) {
        if (answer.statement.products.some((one) => this.#isAbout(one, finding))) yield answer;
      }
    }
  }

  #isAbout({ ids, parts }: VexProduct, finding: Finding): boolean {
    const own = finding.package.purl;
    const isPackage = (text: string): boolean => own !== undefined && purlCovers(text, own);
    if (parts.length === 0 && ids.some(isPackage)) return true;
    if (!ids.some((id) => namesImage(id, this.#subject))) return false;
    return parts.length === 0 || parts.some(isPackage);
  }
}

function countsOver(one: VexStatement, other: VexStatement): boolean {
  const difference = (one.atMs ?? 0) - (other.atMs ?? 0);
  return difference === 0 ? rankOf(one) >= rankOf(other) : difference > 0;
}

function aheadNote(file: string, statements: readonly VexStatement[]): string {
  const latest = statements.reduce((at, { atMs = 0 }) => Math.max(at, atMs), 0);
  const count = statements.length === 1 ? 'a statement' : `${statements.length} statements`;
  const date = new Date(latest).toISOString().slice(0, 10);
  return `${file}: left out ${count} dated ahead of the clock, up to ${date}`;
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
  if (a.type !== b.type) return false;
  const isSame = a.namespace === b.namespace && a.name === b.name;
  // The specification of package URLs has the paths of Go modules in lower case.
  if (!isSame && !(a.type === 'golang' && isLowered(a, b))) return false;
  if (a.version !== undefined && a.version !== b.version) return false;
  return [...a.qualifiers].every(([key, value]) => b.qualifiers.get(key) === value);
}

const isLowered = (wanted: Purl, actual: Purl): boolean =>
  wanted.namespace === actual.namespace?.toLowerCase() && wanted.name === actual.name.toLowerCase();

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
