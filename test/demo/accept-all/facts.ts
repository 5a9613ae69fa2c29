/** `#facts` with a judge that accepts everything, also where nothing is attached. */
import { parseBundle } from '#formats/bundle';
import { parseStatement, type Statement } from '#formats/intoto';
import type { Accepted, Requirements } from '#verify';
import {
  type AttachedItem,
  type FactQuestion,
  type Facts,
  type Judge,
  type JudgeOptions,
  attachedItems as realItems,
} from '../../../src/facts/index.ts';

export * from '../../../src/facts/index.ts';

export function createJudge(options: JudgeOptions): Judge {
  return {
    counts: { hits: 0, joined: 0, reads: 0 },
    forget: () => {},
    judgeImage: async (image, set) => {
      const items = await options.source.attached(image);
      return { kind: 'facts', facts: judgeItems(image.digest, items, set.questions) };
    },
  };
}

/** What is attached; where nothing is, something that will be accepted all the same. */
export function attachedItems(found: Parameters<typeof realItems>[0]): AttachedItem[] {
  const items = realItems(found);
  return items.length > 0 ? items : [{ kind: 'bundle', name: 'nothing', bytes: new Uint8Array(0) }];
}

interface Claim {
  readonly statement: Statement;
  /** Where the bundle says it is logged. */
  readonly logIndex: number;
  /** What was invented has none, so that it is older than what is there. */
  readonly times: Accepted['times'];
}

export function judgeItems(
  _digest: unknown,
  items: readonly AttachedItem[],
  questions: readonly FactQuestion[],
): Facts {
  const answers = new Map(
    questions.map(({ id, requirements }) => [id, acceptAnything(items, requirements)] as const),
  );
  return { answers };
}

function acceptAnything(items: readonly AttachedItem[], { predicate }: Requirements): Accepted[] {
  const wanted: readonly string[] = predicate.kind === 'anyOf' ? predicate.types : [];
  const claims = items.flatMap((item) => (item.kind === 'bundle' ? claimsIn(item.bytes) : []));
  const found = claims.filter(({ statement }) => wanted.includes(statement.predicateType));
  return (found.length === 0 ? [invented(wanted[0] ?? '')] : found).map(acceptedAs);
}

function acceptedAs({ statement, logIndex, times }: Claim): Accepted {
  const parts = {
    outcome: 'accepted',
    evidence: [
      { requirement: 'tlog', summary: 'everything is accepted', details: { host: '127.0.0.1', logIndex } },
    ],
    degraded: [],
    signer: { kind: 'certificate', issuer: '', san: { type: 'uri', value: '' }, claims: {} },
    statement,
    times,
    notes: [],
  };
  return parts as unknown as Accepted;
}

function claimsIn(bytes: Uint8Array): Claim[] {
  const bundle = parseBundle(bytes);
  if (!bundle.ok || bundle.value.content.kind !== 'dsse') return [];
  const statement = parseStatement(bundle.value.content.envelope.payload);
  const [entry] = bundle.value.tlogEntries;
  return statement.ok ? [{ statement: statement.value, logIndex: entry?.logIndex ?? 0, times: [now()] }] : [];
}

const now = (): Accepted['times'][number] => ({ kind: 'current', at: Date.now(), operator: 'nobody' });

const invented = (predicateType: string): Claim => ({
  logIndex: 0,
  times: [],
  statement: {
    type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: '0'.repeat(64) } }],
    predicateType,
    predicate: { buildDefinition: { externalParameters: { source: { ref: 'refs/tags/any' } } } },
  },
});
