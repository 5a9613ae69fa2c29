/** GET /api/v1/audit/search?digest=…&identity=…&issuer=…&after=… · GET /healthz */
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import type { HttpApp } from '#platform/http-server';
import { NAME_CHARS_MAX } from './config.ts';
import { R } from './reasons.ts';
import { type AuditIndex, type AuditQuery, answerJson, type Position } from './search.ts';

export function registerAudit(app: HttpApp, index: AuditIndex): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/api/v1/audit/search', async (request, reply) => {
    const given = request.query as Record<string, unknown>;
    const answer = await index.search(queryOf(given), positionOf(given['after']));
    // Read from any origin: the answer is public and proves itself.
    return reply.header('access-control-allow-origin', '*').send(answerJson(answer));
  });
}

const fields = ['digest', 'identity', 'issuer'] as const;

function queryOf(given: Record<string, unknown>): AuditQuery {
  const query = Object.fromEntries(
    fields.flatMap((field) => {
      const value = given[field];
      if (value === undefined) return [];
      const isName = typeof value === 'string' && value !== '' && value.length <= NAME_CHARS_MAX;
      if (!isName || (field === 'digest' && !parseDigest(value).ok)) {
        const expected = field === 'digest' ? 'digest=sha256:<64 hex digits>' : `${field}=NAME, once`;
        throw fail(R.query, { expected, actual: JSON.stringify(value).slice(0, 200) });
      }
      return [[field, value]];
    }),
  ) as AuditQuery;
  if (Object.keys(query).length > 0) return query;
  throw fail(R.query, { expected: `one of ${fields.join(', ')}`, actual: 'none of them' });
}

function positionOf(given: unknown): Position | undefined {
  if (given === undefined) return undefined;
  const [, log, index] = /^(\d{1,3})\.(\d{1,15})$/.exec(String(given)) ?? [];
  if (log !== undefined && index !== undefined) return { log: Number(log), index: Number(index) };
  throw fail(R.query, { expected: 'after=<next of an answer>', actual: JSON.stringify(given).slice(0, 200) });
}
