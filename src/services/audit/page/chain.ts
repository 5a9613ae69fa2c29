/** The chain of one image as boxes: source → build → image → attached → log entry → admission. */
import type { Fact, ImageReport, LogFact } from './model.ts';
import { sentence } from './reason-words.ts';
import { counted, dateText, shortDigest, timeText } from './words.ts';

/** `absent`: nothing there. `plain`: a fact that needs no proof. */
export type BoxState = 'verified' | 'refused' | 'unproven' | 'absent' | 'plain';

export interface Box {
  readonly kind: 'source' | 'build' | 'image' | 'attached' | 'log' | 'admission';
  readonly title: string;
  /** After the title, where there is room. */
  readonly form?: string;
  readonly lines: readonly string[];
  readonly state: BoxState;
  /** The state in words, shown beside its mark. */
  readonly word: string;
  /** Anchor that tells more. */
  readonly href: string;
}

export interface ChainRow {
  readonly attached: Box;
  readonly log: Box;
}

export interface Chain {
  readonly source: Box;
  readonly build: Box;
  readonly image: Box;
  readonly rows: readonly ChainRow[];
  readonly admission: Box;
  /** Rows that were left out of the picture; the lists have them. */
  readonly more: number;
}

export const CHAIN_ROWS_MAX = 16;

export const stateWords: Readonly<Record<Fact['state'], string>> = {
  verified: 'Verified',
  refused: 'Refused',
  unproven: 'Not proven',
};

export function chainOf(report: ImageReport): Chain {
  const all = rowsOf(report);
  return {
    source: sourceBox(report),
    build: buildBox(report),
    image: imageBox(report),
    rows: all.slice(0, CHAIN_ROWS_MAX),
    more: Math.max(0, all.length - CHAIN_ROWS_MAX),
    admission: admissionBox(report),
  };
}

const withoutScheme = (uri: string): string => uri.replace(/^(?:git\+)?https?:\/\//, '');

/** Why source and build are not stated. */
export const unstated = ({ facts }: ImageReport): string =>
  facts.some((fact) => fact.naming.topic === 'provenance')
    ? 'no provenance holds'
    : 'no provenance is attached';

function sourceBox(report: ImageReport): Box {
  const { origins } = report;
  const [origin] = origins;
  const from = origin?.provenance.source ?? origin?.provenance.trigger;
  const common = { kind: 'source', title: 'Source' } as const;
  if (origin === undefined || from === undefined) {
    return {
      ...common,
      lines: [origin === undefined ? unstated(report) : 'no provenance names one'],
      state: 'absent',
      word: 'Not stated',
      href: '#attached',
    };
  }
  const lines = [
    withoutScheme(from.uri),
    ...(from.commit === undefined ? [] : [`at ${from.commit.slice(0, 12)}`]),
    ...(from.ref === undefined ? [] : [from.ref]),
  ];
  return {
    ...common,
    lines,
    state: origin.isByBuilder ? 'verified' : 'unproven',
    word: stateWords[origin.isByBuilder ? 'verified' : 'unproven'],
    href: `#${origin.id}`,
  };
}

function buildBox(report: ImageReport): Box {
  const { origins } = report;
  const [origin] = origins;
  const common = { kind: 'build', title: 'Build' } as const;
  if (origin === undefined) {
    const lines = [unstated(report)];
    return { ...common, lines, state: 'absent', word: 'Not stated', href: '#attached' };
  }
  const { builderId, statedLevel, finishedOn } = origin.provenance;
  return {
    ...common,
    lines: [
      withoutScheme(builderId),
      ...(statedLevel === undefined ? [] : [`states SLSA L${statedLevel}`]),
      ...(finishedOn === undefined ? [] : [finishedOn.slice(0, 16).replace('T', ' ')]),
    ],
    state: origin.isByBuilder ? 'verified' : 'unproven',
    word: stateWords[origin.isByBuilder ? 'verified' : 'unproven'],
    href: `#${origin.id}`,
  };
}

function imageBox({ digest, places }: ImageReport): Box {
  const [first] = places;
  const names = places.length > 1 ? [`${counted(places.length, 'repository', 'repositories')}`] : [];
  const tags = [...new Set(places.flatMap((place) => place.tags))];
  return {
    kind: 'image',
    title: first?.kind === 'index' ? 'Image index' : 'Image',
    lines: [
      shortDigest(digest).replace(/^sha256:/, ''),
      ...(names.length > 0 ? names : first === undefined ? [] : [first.repository]),
      ...(tags.length === 0 ? [] : [tags.join(', ')]),
    ],
    state: places.some((place) => place.isHere) ? 'plain' : 'absent',
    word: places.some((place) => place.isHere) ? 'In registry' : 'Not held now',
    href: '#image',
  };
}

function rowsOf({ facts, log }: ImageReport): readonly ChainRow[] {
  const attached = facts.map((fact): ChainRow => {
    const entry = log.find((one) => one.factIds.includes(fact.id));
    return { attached: factBox(fact), log: entry === undefined ? unlogged(fact) : entryBox(entry) };
  });
  const gone = log
    .filter((entry) => entry.factIds.length === 0)
    .map((entry): ChainRow => ({ attached: goneBox(entry), log: entryBox(entry) }));
  return [...attached, ...gone];
}

const titleOf = ({ naming }: Pick<Fact, 'naming'>): Pick<Box, 'title' | 'form'> => ({
  title: naming.what,
  ...(naming.form === undefined ? {} : { form: naming.form }),
});

function factBox(fact: Fact): Box {
  const { reason, signer, at, summary, state } = fact;
  const said = reason === undefined ? summary.slice(0, 1) : [sentence(reason)];
  const told = at === undefined || state !== 'verified' ? '' : ` · ${dateText(at)}`;
  return {
    kind: 'attached',
    ...titleOf(fact),
    // Provenance begins with its builder, who is in the box before.
    lines: [
      ...(signer === undefined ? [] : [`by ${withoutScheme(signer.name)}`]),
      ...(fact.naming.topic === 'provenance' && reason === undefined ? [] : said),
    ],
    state,
    word: `${stateWords[state]}${reason === undefined ? told : ` · ${reason.code}`}`,
    href: `#${fact.id}`,
  };
}

const entryBox = (entry: LogFact): Box => ({
  kind: 'log',
  title: `Entry ${entry.logIndex}`,
  lines: [entry.origin],
  state: entry.reason === undefined ? 'verified' : 'unproven',
  word: entry.reason === undefined ? 'Logged' : 'Not proven',
  href: `#${entry.id}`,
});

function unlogged(fact: Fact): Box {
  const isForeign = fact.state === 'verified' && fact.entries.length > 0;
  return {
    kind: 'log',
    title: isForeign ? 'Another log' : 'No entry',
    lines: [isForeign ? 'not one of this stack' : 'in these logs'],
    state: 'absent',
    word: isForeign ? 'Not searched' : 'None found',
    href: '#logs',
  };
}

/** The log remembers what the registry does not hold (any more). */
const goneBox = (entry: LogFact): Box => ({
  kind: 'attached',
  ...titleOf(entry),
  lines: [entry.signer === undefined ? 'signer not proven' : `by ${withoutScheme(entry.signer.name)}`],
  state: 'absent',
  word: 'Not attached here',
  href: `#${entry.id}`,
});

function admissionBox({ admissions }: ImageReport): Box {
  const common = { kind: 'admission', title: 'Admission', href: '#admissions' } as const;
  const [last] = admissions ?? [];
  if (admissions === undefined || last === undefined) {
    return { ...common, lines: ['no webhook has reported one'], state: 'absent', word: 'None reported' };
  }
  return {
    ...common,
    lines: [last.object, timeText(last.at)],
    state: last.isAllowed ? 'verified' : 'refused',
    word: `${last.isAllowed ? 'Admitted' : 'Denied'} (${counted(admissions.length, 'decision')})`,
  };
}
