/** One case through every door that can ask it: twin and case, verdict, class and code. */
import { bases, type Case } from './case.ts';
import type { CliAnswer } from './cli-door.ts';
import { type Answer, admission, library, libraryByDigest } from './doors.ts';
import { type Exhibit, exhibit } from './draft.ts';
import { draftOf } from './recipes/index.ts';
import { askRoom } from './rooms/index.ts';

export type DoorName = 'library' | 'digest' | 'admission' | 'cli image' | 'cli file' | 'room';

export type AnyDoor = (exhibit: Exhibit) => Promise<CliAnswer> | CliAnswer;

/** Doors that open no file. */
export const memoryDoors: Readonly<Partial<Record<DoorName, AnyDoor>>> = {
  library,
  digest: libraryByDigest,
  admission,
};

export interface Finding {
  readonly id: string;
  readonly door: DoorName;
  /** What went wrong; undefined when the answers are as expected. */
  readonly fault: string | undefined;
  /** What the door has no words for: nothing was asked. */
  readonly missing?: string;
}

/** Twins are shared by many cases: each is signed once, and asked once a door. */
const twins = new Map<
  string,
  { readonly exhibit: Exhibit; readonly asked: Map<DoorName, Promise<string | undefined>> }
>();

function twinOf(item: Case): Exhibit {
  return twin(item).exhibit;
}

function twin(item: Case) {
  const key = JSON.stringify([item.base, item.setting]);
  const known = twins.get(key) ?? {
    exhibit: exhibit(draftOf(bases[item.base] ?? [], item.setting)),
    asked: new Map<DoorName, Promise<string | undefined>>(),
  };
  twins.set(key, known);
  return known;
}

/** Asks every door. A door that throws has found a defect. */
export async function judgeCase(
  item: Case,
  doors: Readonly<Partial<Record<DoorName, AnyDoor>>>,
): Promise<Finding[]> {
  if (item.room !== undefined) return [await judgeRoom(item)];
  const attack = exhibit(draftOf(bases[item.base] ?? [], item.setting, item.mutation));
  const findings: Finding[] = [];
  for (const [name, door] of Object.entries(doors) as [DoorName, AnyDoor][]) {
    findings.push(await judgeAt(item, name, door, attack));
  }
  return findings;
}

async function judgeAt(item: Case, name: DoorName, door: AnyDoor, attack: Exhibit): Promise<Finding> {
  const { id } = item;
  try {
    const answer = await door(attack);
    if ('missing' in answer) return { id, door: name, fault: undefined, missing: answer.missing };
    const fault = (await twinFault(item, name, door)) ?? faultOf(item, name, answer);
    return { id, door: name, fault };
  } catch (error) {
    return { id, door: name, fault: thrown(error) };
  }
}

async function judgeRoom(item: Case): Promise<Finding> {
  const { id } = item;
  try {
    const { twin: good, answer } = await askRoom(item);
    const fault = good.verdict === 'accept' ? faultOf(item, 'room', answer) : `the twin: ${shown(good)}`;
    return { id, door: 'room', fault };
  } catch (error) {
    return { id, door: 'room', fault: thrown(error) };
  }
}

const thrown = (error: unknown): string =>
  `thrown: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;

function twinFault(item: Case, name: DoorName, door: AnyDoor): Promise<string | undefined> {
  const { asked } = twin(item);
  const known =
    asked.get(name) ??
    (async () => {
      const answer = await door(twinOf(item));
      if ('missing' in answer || answer.verdict === 'accept') return undefined;
      return `the twin: ${shown(answer)}`;
    })();
  asked.set(name, known);
  return known;
}

export const shown = ({ verdict, reason }: Answer): string =>
  reason === undefined
    ? verdict
    : `${verdict}:${reason.class} (${reason.code} ${reason.check}: ${reason.expected}; got ${reason.actual})`;

/** Image doors see a digest and everything attached: where their question is another one, the case says so. */
function expectedAt(item: Case, door: DoorName): Pick<Case, 'verdict' | 'class' | 'codes'> {
  const isImage = door === 'admission' || door === 'cli image';
  const knowsLess = door === 'digest' && item.needs.includes('bytes');
  return (isImage || knowsLess) && item.image !== undefined ? item.image : item;
}

function faultOf(item: Case, door: DoorName, answer: Answer): string | undefined {
  const expected = expectedAt(item, door);
  const wanted = expected.class === undefined ? expected.verdict : `${expected.verdict}:${expected.class}`;
  const { reason } = answer;
  if (answer.verdict !== expected.verdict || reason?.class !== expected.class) {
    return `expected ${wanted}, got ${shown(answer)}`;
  }
  // Codes are those of the verifier; other doors may wrap them, but not their class.
  const isVerifier = door === 'library' || door === 'room';
  if (isVerifier && expected.codes !== undefined && !expected.codes.includes(reason?.code ?? '')) {
    return `expected ${expected.codes.join(' or ')}, got ${shown(answer)}`;
  }
  return (
    missingIn('degraded', item.degraded, answer.degraded) ?? missingIn('notes', item.notes, answer.notes)
  );
}

function missingIn(
  what: string,
  expected: readonly string[] | undefined,
  actual: readonly string[] | undefined,
): string | undefined {
  const lacking = actual === undefined ? undefined : expected?.find((word) => !actual.includes(word));
  return lacking === undefined ? undefined : `${what} without ${lacking}: ${actual?.join(', ')}`;
}
