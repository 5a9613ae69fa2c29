/** What evaluation says: one result for each check of each image, and whether the request may pass. */
import type { Digest } from '#base/brand';
import type { Reason } from '#base/reason';
import type { ApprovedException } from './exception/approval.ts';
import type { Mode } from './ir.ts';
import type { ImageUse } from './workload.ts';

export type CheckStatus = 'pass' | 'fail' | 'unavailable';

export interface CheckResult {
  readonly policy: string;
  readonly rule: string;
  readonly mode: Mode;
  readonly image: string;
  readonly digest?: Digest;
  readonly status: CheckStatus;
  /** Empty exactly when the status is pass. */
  readonly reasons: readonly Reason[];
  /**
   * Checks the policy gave up by name, of a pass: requirements of the verifier, and `digest` when the image runs
   * by a tag that may name something else by then.
   */
  readonly degraded: readonly string[];
  /** Names image, check, expected and actual; for a pass, who signed. */
  readonly message: string;
  /** Set when the check did not pass and an exception excuses that. */
  readonly exception?: ApprovedException;
}

export interface Decision {
  readonly isAllowed: boolean;
  readonly results: readonly CheckResult[];
  /** Images no check applied to. */
  readonly unmatched: readonly ImageUse[];
}
