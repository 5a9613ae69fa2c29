/** The certificate log as the authority sees it: a precertificate chain in, a signed promise out. */
import type { Der } from '#base/brand';
import { toBase64, utf8 } from '#base/bytes';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { parseAddChainResponse, type Sct } from '#formats/sct';
import { safeUrl, type Transport } from '#platform/http-client';
import { R } from './reasons.ts';

export interface CtSubmitter {
  /**
   * Precertificate first, then its issuers up to a root. Resolves once the log has promised to log it; rejects
   * with `WaybillError` otherwise.
   */
  addPreChain(chain: readonly Der[]): Promise<Sct>;
}

const ANSWER_BYTES_MAX = 64 * 1024;
const TIMEOUT_MS = 10_000;

/** A log behind RFC 6962's HTTP API; `url` is its base, without `/ct/v1`. */
export function httpCtSubmitter(url: string, transport: Transport): CtSubmitter {
  const endpoint = `${url.replace(/\/$/, '')}/ct/v1/add-pre-chain`;
  return {
    addPreChain: async (chain) => {
      const answer = await transport.request({
        url: endpoint,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: utf8(JSON.stringify({ chain: chain.map(toBase64) })),
        maxBytes: ANSWER_BYTES_MAX,
        timeoutMs: TIMEOUT_MS,
      });
      if (answer.status !== 200) {
        const expected = `status 200 from ${safeUrl(endpoint)}`;
        throw fail(R.transparency, { expected, actual: `status ${answer.status}` });
      }
      return unwrap(parseAddChainResponse(answer.body));
    },
  };
}
