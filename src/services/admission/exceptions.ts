/**
 * Exceptions at the webhook: read from a folder again and again, honoured only when their use is in the outbox.
 * Nothing here reaches a log: another process drains the outbox.
 */
import type { Clock } from '#base/clock';
import { rfc3339 } from '#base/clock';
import { type Reason, reasonText, WaybillError } from '#base/reason';
import { loadApprovers, loadExceptions } from '#flows/exception-folder';
import { type Outbox, openOutbox, type UseRecord } from '#flows/exception-outbox';
import type { Logger } from '#platform/telemetry';
import {
  applyExceptions,
  type Decision,
  type ExceptionUse,
  exceptionHints,
  exceptionUses,
  isCurrent,
  type LoadedException,
  useText,
} from '#policy';
import type { TrustMaterial } from '#verify';
import type { ExceptionsConfig } from './config.ts';
import type { Review } from './review.ts';

/** A decision after the exceptions had their say. */
export interface Excused {
  readonly decision: Decision;
  /** Recorded; empty for a dry run, which lets nothing in. */
  readonly uses: readonly ExceptionUse[];
  readonly warnings: readonly string[];
}

export interface ExceptionDesk {
  excuse(decision: Decision, review: Review): Excused;
  /** Looks at folder and approvers. What cannot be read is not honoured: an exception only ever admits more. */
  refresh(trustedRoot: TrustMaterial): Promise<void>;
  counts(): ExceptionCounts;
  close(): void;
}

export interface ExceptionCounts {
  readonly active: number;
  /** Approved, but their time has passed or not come. */
  readonly inactive: number;
  /** Not approved, revoked, or unreadable. */
  readonly refused: number;
  /** Uses in the outbox that are in no log yet. */
  readonly pendingUses: number;
}

/** Throws what is wrong with the approvers, the folder or the outbox: a start with a mistake is no start. */
export async function openExceptions(
  config: ExceptionsConfig,
  trustedRoot: TrustMaterial,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Promise<ExceptionDesk> {
  const read = async (root: TrustMaterial): Promise<readonly LoadedException[]> => {
    const approvers = await loadApprovers(config.approversFile);
    return loadExceptions(config.dir, { trustedRoot: root, approvers, nowMs: clock.now() });
  };
  let loaded = await read(trustedRoot);
  const outbox = openOutbox(config.outboxFile);
  let told = tell(loaded, '', log);
  return {
    excuse(decision, review) {
      const { namespace } = review.request;
      const now = clock.now();
      const after = applyExceptions(decision, namespace, loaded, now);
      const uses = exceptionUses(after);
      if (uses.length === 0) {
        return { decision, uses, warnings: exceptionHints(decision, namespace, loaded, now) };
      }
      const warnings = uses.map(useText);
      if (review.dryRun) return { decision: after, uses: [], warnings };
      try {
        outbox.append(uses.map((use) => recordOf(use, review, now)));
        return { decision: after, uses, warnings };
      } catch (error) {
        log.error({ err: error, uid: review.uid }, 'an exception is not honoured: its use was not recorded');
        const names = uses.map(({ exception }) => exception.name).join(', ');
        return { decision, uses: [], warnings: [`exception ${names} is not honoured: ${whyText(error)}`] };
      }
    },
    async refresh(root) {
      try {
        loaded = await read(root);
      } catch (error) {
        loaded = [];
        log.error({ why: whyText(error) }, 'exceptions cannot be read: none is in force');
      }
      told = tell(loaded, told, log);
    },
    counts: () => ({ ...stateCounts(loaded, clock.now()), pendingUses: pendingIn(outbox) }),
    close: () => outbox.close(),
  };
}

function recordOf(
  { exception, image, digest, excused }: ExceptionUse,
  review: Review,
  now: number,
): UseRecord {
  const { request, uid } = review;
  return {
    uid,
    admittedAt: rfc3339(now),
    exception: exception.name,
    exceptionId: exception.id,
    namespace: request.namespace,
    object: `${request.kind.kind}/${request.name}`,
    image,
    digest,
    excused,
  };
}

/** The other counters have to be seen most when the disk is in trouble. */
function pendingIn(outbox: Outbox): number {
  try {
    return outbox.counts().pending;
  } catch {
    return Number.NaN;
  }
}

function stateCounts(loaded: readonly LoadedException[], now: number): Omit<ExceptionCounts, 'pendingUses'> {
  const approved = loaded.flatMap((one) => (one.state === 'approved' ? [one.exception] : []));
  const active = approved.filter((exception) => isCurrent(exception, now).ok).length;
  return { active, inactive: approved.length - active, refused: loaded.length - approved.length };
}

/** Says once what a folder holds, and again when that changes. */
function tell(loaded: readonly LoadedException[], before: string, log: Logger): string {
  const lines = loaded.map((one) => {
    if (one.state === 'refused') return { file: one.file, why: oneLine(one.reason) };
    const { name, namespace, digest, notAfter, approvedBy } = one.exception;
    const by = approvedBy.map(({ identity }) => identity);
    return { file: one.file, exception: name, namespace, digest, until: rfc3339(notAfter), by };
  });
  const now = JSON.stringify(lines);
  if (now === before || (lines.length === 0 && before === '')) return now;
  log.warn({ exceptions: lines }, 'exceptions');
  return now;
}

const oneLine = (why: Reason): string => reasonText(why);
const whyText = (error: unknown): string =>
  error instanceof WaybillError ? reasonText(error.reason) : String(error);
