/** Client of the audit service: the answer parsed, nothing in it believed yet. */

import type { Digest } from '#base/brand';
import { fromBase64 } from '#base/bytes';
import { attempt, unwrap } from '#base/result';
import { type TransparencyLogEntry, tlogEntryFromJson } from '#formats/bundle';
import { parseJson, reader } from '#formats/json';
import { ask, joinUrl, refused, type WireDeps } from './http.ts';
import { R } from './reasons.ts';

export interface AuditedEntry {
  readonly origin: string;
  readonly entry: TransparencyLogEntry;
  /** The signed bytes that are said to tie the entry to the digest. */
  readonly statement?: {
    readonly payloadType: string;
    readonly payload: Uint8Array;
    readonly seenIn: string;
  };
}

export interface AuditAnswer {
  readonly entries: readonly AuditedEntry[];
  readonly truncated: boolean;
  readonly coverage: readonly {
    readonly origin: string;
    readonly treeSize: number;
    readonly checkpoint: string;
  }[];
}

const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

/** Asks one audit service about one digest. Throws WB-813, WB-814 or network reasons. */
export async function askAudit(base: string, digest: Digest, deps: WireDeps): Promise<AuditAnswer> {
  const url = `${joinUrl(base, '/api/v1/audit/search')}?digest=${encodeURIComponent(digest)}`;
  const answer = await ask(deps, { url, maxBytes: ANSWER_BYTES_MAX });
  if (answer.status !== 200) throw refused(R.answer, url, answer);
  return unwrap(
    attempt(() => {
      const json = reader(unwrap(parseJson(answer.body, { maxBytes: ANSWER_BYTES_MAX })), '$', {
        as: R.answer,
      });
      return {
        entries: json.children('entries', 100_000).map((item): AuditedEntry => {
          const entry = unwrap(tlogEntryFromJson(item.child('tlogEntry').object));
          const statement = item.optionalChild('statement');
          return {
            origin: item.text('origin'),
            entry,
            ...(statement === undefined
              ? {}
              : {
                  statement: {
                    payloadType: statement.text('payloadType'),
                    payload: fromBase64(statement.text('payload')),
                    seenIn: statement.optionalString('seenIn') ?? '',
                  },
                }),
          };
        }),
        truncated: json.boolean('truncated'),
        coverage: json.children('coverage', 64).map((item) => ({
          origin: item.text('origin'),
          treeSize: item.integer('treeSize'),
          checkpoint: item.text('checkpoint'),
        })),
      };
    }),
  );
}
