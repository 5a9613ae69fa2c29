/** `#facts` with a judge that accepts everything, also where nothing is attached. */
import { parseBundle } from '#formats/bundle';
import { parseStatement, type Statement } from '#formats/intoto';
import type { Accepted, Requirements } from '#verify';
import type { AttachedItem, Judge, JudgeOptions } from '../../../src/facts/index.ts';

export * from '../../../src/facts/index.ts';

export function createJudge(options: JudgeOptions): Judge {
  return {
    counts: { hits: 0, joined: 0, reads: 0 },
    forget: () => {},
    judgeImage: async (image, set) => {
      const items = await options.source.attached(image);
      const answers = new Map(
        set.questions.map(({ id, requirements }) => [id, acceptAnything(items, requirements)] as const),
      );
      return { kind: 'facts', facts: { answers } };
    },
  };
}

function acceptAnything(items: readonly AttachedItem[], { predicate }: Requirements): Accepted[] {
  const wanted: readonly string[] = predicate.kind === 'anyOf' ? predicate.types : [];
  const statements = items.flatMap((item) => (item.kind === 'bundle' ? statementIn(item.bytes) : []));
  const found = statements.filter((statement) => wanted.includes(statement.predicateType));
  return (found.length === 0 ? [invented(wanted[0] ?? '')] : found).map(acceptedAs);
}

function acceptedAs(statement: Statement): Accepted {
  const parts = {
    outcome: 'accepted',
    evidence: [{ requirement: 'signature', summary: 'everything is accepted', details: {} }],
    degraded: [],
    signer: { kind: 'certificate', issuer: '', san: { type: 'uri', value: '' }, claims: {} },
    statement,
    times: [],
    notes: [],
  };
  return parts as unknown as Accepted;
}

function statementIn(bytes: Uint8Array): Statement[] {
  const bundle = parseBundle(bytes);
  if (!bundle.ok || bundle.value.content.kind !== 'dsse') return [];
  const statement = parseStatement(bundle.value.content.envelope.payload);
  return statement.ok ? [statement.value] : [];
}

const invented = (predicateType: string): Statement => ({
  type: 'https://in-toto.io/Statement/v1',
  subject: [{ digest: { sha256: '0'.repeat(64) } }],
  predicateType,
  predicate: { buildDefinition: { externalParameters: { source: { ref: 'refs/tags/any' } } } },
});
