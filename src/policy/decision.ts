/** What evaluation says: one result for each check of each image, and whether the request may pass. */
import type { Digest } from '#base/brand';
import type { Reason } from '#base/reason';
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
  /** Names image, check, expected and actual; for a pass, who signed. */
  readonly message: string;
}

export interface Decision {
  readonly isAllowed: boolean;
  readonly results: readonly CheckResult[];
  /** Images no check applied to. */
  readonly unmatched: readonly ImageUse[];
}
