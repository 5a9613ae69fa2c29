/** The verdict over all: one sentence, and the questions a reader has with their answers. */
import { type BoxState, stateWords, unstated } from './chain.ts';
import type { Fact, ImageReport } from './model.ts';
import { sentence } from './reason-words.ts';
import { counted, type Topic } from './words.ts';

export interface Verdict {
  readonly state: BoxState;
  readonly title: string;
  readonly text: string;
}

export function verdictOf({ facts, log, troubles }: ImageReport): Verdict {
  const of = (state: Fact['state']): number => facts.filter((fact) => fact.state === state).length;
  const [verified, refused, unproven] = [of('verified'), of('refused'), of('unproven')];
  if (troubles.length > 0) {
    const text = 'Part of the evidence could not be read. What is missing here may exist.';
    return { state: 'unproven', title: 'Incomplete', text };
  }
  if (facts.length === 0) {
    const known = log.length > 0;
    const text = known
      ? `Nothing is attached in the registry; the logs hold ${counted(log.length, 'entry', 'entries')} about it.`
      : 'Nobody has signed this image, and no log speaks about it.';
    return { state: 'absent', title: known ? 'Known to the logs only' : 'Unsigned', text };
  }
  const parts = [
    `${verified} of ${counted(facts.length, 'attached item')} verified`,
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(unproven > 0 ? [`${unproven} not proven`] : []),
  ];
  return { ...titleFor(facts, refused + unproven), text: `${parts.join(', ')}. ${signersText(facts)}` };
}

function titleFor(facts: readonly Fact[], doubtful: number): Omit<Verdict, 'text'> {
  const isSigned = facts.some((fact) => fact.state === 'verified' && fact.naming.topic === 'signature');
  if (isSigned && doubtful === 0)
    return { state: 'verified', title: 'Signed, and everything attached holds' };
  if (isSigned) {
    return {
      state: 'unproven',
      title: `Signed, but ${counted(doubtful, 'attached item')} ${doubtful === 1 ? 'does' : 'do'} not hold`,
    };
  }
  const isAttested = facts.some((fact) => fact.state === 'verified');
  if (isAttested) return { state: 'unproven', title: 'Attested, but no signature holds' };
  return { state: 'refused', title: 'Nothing attached holds' };
}

function signersText(facts: readonly Fact[]): string {
  const names = new Set(
    facts.flatMap((fact) => (fact.state === 'verified' ? (fact.signer?.name ?? []) : [])),
  );
  return names.size === 0 ? '' : `Signed by ${counted(names.size, 'identity', 'identities')}.`;
}

export interface Card {
  readonly question: string;
  readonly answer: string;
  readonly more?: string;
  readonly state: BoxState;
  readonly word: string;
}

export function cards(report: ImageReport): readonly Card[] {
  return [
    topicCard(report, 'signature', 'Who signed it?', 'nobody'),
    sourceCard(report),
    buildCard(report),
    topicCard(report, 'sbom', 'What is inside?', 'no SBOM is attached'),
    topicCard(report, 'scan', 'Known vulnerabilities?', 'no scan is attached'),
    logCard(report),
  ];
}

/** The best item of a topic speaks; how many others there are stands beside. */
function topicCard({ facts }: ImageReport, topic: Topic, question: string, none: string): Card {
  const all = facts.filter((fact) => fact.naming.topic === topic);
  const best = all.find((fact) => fact.state === 'verified') ?? all[0];
  if (best === undefined) return { question, answer: none, state: 'absent', word: 'Absent' };
  const { state, reason, signer, summary, naming } = best;
  const word = stateWords[state];
  if (reason !== undefined || signer === undefined) {
    const answer = `${naming.what}: none that holds`;
    return { question, answer, ...(reason === undefined ? {} : { more: sentence(reason) }), state, word };
  }
  if (topic === 'signature') {
    const held = all.filter((fact) => fact.state === 'verified').length;
    const more = `${counted(all.length, 'signature')}, ${held} verified`;
    return { question, answer: signer.name, more, state, word };
  }
  return {
    question,
    answer: summary[0] ?? naming.form ?? naming.what,
    more: `says ${signer.name}`,
    state,
    word,
  };
}

function sourceCard(report: ImageReport): Card {
  const { origins } = report;
  const question = 'From which source?';
  const [origin] = origins;
  const from = origin?.provenance.source ?? origin?.provenance.trigger;
  if (origin === undefined || from === undefined) {
    return { question, answer: unstated(report), state: 'absent', word: 'Absent' };
  }
  const at = [from.ref, from.commit === undefined ? undefined : `commit ${from.commit}`];
  const more = at.filter((one) => one !== undefined).join(', ');
  return { question, answer: from.uri, ...(more === '' ? {} : { more }), ...originState(origin.isByBuilder) };
}

function buildCard(report: ImageReport): Card {
  const { origins } = report;
  const question = 'Who built it?';
  const [origin] = origins;
  if (origin === undefined) {
    return { question, answer: unstated(report), state: 'absent', word: 'Absent' };
  }
  const { builderId, statedLevel } = origin.provenance;
  const level = statedLevel === undefined ? '' : `, states SLSA Build level ${statedLevel}`;
  const by = origin.isByBuilder ? `signed by this builder${level}` : `but signed by ${origin.signer.name}`;
  const more = origin.isAttached ? by : `${by}; known from the log, not attached here`;
  return { question, answer: builderId, more, ...originState(origin.isByBuilder) };
}

const originState = (isByBuilder: boolean): Pick<Card, 'state' | 'word'> =>
  isByBuilder
    ? { state: 'verified', word: stateWords.verified }
    : { state: 'unproven', word: stateWords.unproven };

function logCard({ log, coverage }: ImageReport): Card {
  const question = 'Is it logged?';
  const proven = log.filter((entry) => entry.reason === undefined).length;
  const searched = coverage.reduce((sum, one) => sum + one.treeSize, 0);
  const more = `${counted(searched, 'entry', 'entries')} of ${counted(coverage.length, 'log')} searched`;
  if (log.length === 0)
    return { question, answer: 'no entry speaks about it', more, state: 'absent', word: 'Absent' };
  const answer = `${proven} of ${counted(log.length, 'entry', 'entries')} proven`;
  return proven === log.length
    ? { question, answer, more, state: 'verified', word: 'Proven' }
    : { question, answer, more, state: 'unproven', word: stateWords.unproven };
}
