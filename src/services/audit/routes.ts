/** GET /api/v1/audit/search?digest=sha256:… · GET /healthz */
import { parseDigest } from '#base/digest';
import { fail } from '#base/reason';
import type { HttpApp } from '#platform/http-server';
import { R } from './reasons.ts';
import { type AuditIndex, answerJson } from './search.ts';

export function registerAudit(app: HttpApp, index: AuditIndex): void {
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/api/v1/audit/search', async (request, reply) => {
    const given = (request.query as Record<string, unknown>)['digest'];
    const digest = typeof given === 'string' ? parseDigest(given) : undefined;
    if (digest === undefined || !digest.ok) {
      throw fail(R.query, {
        expected: 'digest=sha256:<64 hex digits>',
        actual: JSON.stringify(given ?? null),
      });
    }
    // Read from any origin: the answer is public and proves itself.
    return reply
      .header('access-control-allow-origin', '*')
      .send(answerJson(await index.search(digest.value)));
  });
}
