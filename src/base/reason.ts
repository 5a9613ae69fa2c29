/**
 * Why something was refused or failed, as data. A reason names the check, what it expected, what it found
 * and what to do next. Codes are stable; each room lists its own in its `reasons.ts` with `defineReasons`.
 *
 * Ranges: base and formats 1xx · platform 2xx · verify 3xx · tlog 4xx · oci 5xx · trust and identity 6xx ·
 * provenance, policy, doctor 7xx · facts, sign, sbom, scan 8xx · flows 9xx · services 10xx–11xx ·
 * stack 12xx · cli 13xx.
 */
import type { ReasonClass } from './reason-class.ts';

export { type ReasonClass, reasonClasses } from './reason-class.ts';

/** Who has to act: their bytes, their evidence, the surroundings, the caller's words, or us. */
export type Side = 'input' | 'evidence' | 'environment' | 'usage' | 'defect';

export type ReasonCode = `WB-${number}`;

interface ReasonText {
  readonly code: ReasonCode;
  /** Dotted name of the check, for example `bundle.mediaType`. */
  readonly check: string;
  /** One sentence for the error catalogue. */
  readonly summary: string;
  /** What to do; may be replaced where the reason is raised. */
  readonly hint: string;
  /** Process exit code (design: 0, 1, 2, 3, 10–16, 20, 21, 30, 31). Default by side. */
  readonly exit?: number;
  /** HTTP status when a service answers with it. Default by side. */
  readonly status?: number;
}

/** A verdict on evidence always names its class; the other sides have a usual one. */
export type ReasonSpec = ReasonText &
  (
    | { readonly side: 'evidence'; readonly class: Exclude<ReasonClass, 'internal'> }
    | { readonly side: Exclude<Side, 'evidence'>; readonly class?: ReasonClass }
  );

export interface Reason {
  readonly code: ReasonCode;
  readonly check: string;
  readonly side: Side;
  readonly class: ReasonClass;
  readonly expected: string;
  readonly actual: string;
  readonly hint: string;
  readonly exit: number;
  readonly status: number;
}

const classBySide: Record<Exclude<Side, 'evidence'>, ReasonClass> = {
  input: 'malformed',
  environment: 'unavailable',
  usage: 'usage',
  defect: 'internal',
};
const exitBySide: Record<Side, number> = { input: 3, evidence: 12, environment: 20, usage: 3, defect: 1 };
const statusBySide: Record<Side, number> = {
  input: 400,
  evidence: 403,
  environment: 503,
  usage: 400,
  defect: 500,
};

/** Declares a room's reasons; the catalogue in docs/errors.md is generated from every such table. */
export function defineReasons<const T extends Record<string, ReasonSpec>>(specs: T): T {
  return specs;
}

export interface ReasonDetail {
  readonly expected: string;
  readonly actual: string;
  readonly hint?: string;
  /** A narrower check name, for example `der.tag` raised as `x509.version`. */
  readonly check?: string;
  /** Where one code covers two kinds of fault. */
  readonly class?: ReasonClass;
}

const ACTUAL_MAX_CHARS = 600;

/** Makes a reason from its declaration. Long values are cut: a reason is shown to people. */
export function reason(spec: ReasonSpec, detail: ReasonDetail): Reason {
  return {
    code: spec.code,
    check: detail.check ?? spec.check,
    side: spec.side,
    class: detail.class ?? classOf(spec),
    expected: clip(detail.expected),
    actual: clip(detail.actual),
    hint: detail.hint ?? spec.hint,
    exit: spec.exit ?? exitBySide[spec.side],
    status: spec.status ?? statusBySide[spec.side],
  };
}

/** The class of a declared reason. */
export function classOf(spec: ReasonSpec): ReasonClass {
  return spec.side === 'evidence' ? spec.class : (spec.class ?? classBySide[spec.side]);
}

function clip(text: string): string {
  return text.length <= ACTUAL_MAX_CHARS
    ? text
    : `${text.slice(0, ACTUAL_MAX_CHARS)}… (${text.length} characters)`;
}

/** One line for people: `WB-123 check: expected …, got …; hint`. */
export function reasonText(r: Reason): string {
  return `${r.code} ${r.check}: expected ${r.expected}, got ${r.actual}; ${r.hint}`;
}

/** The only error class that carries a verdict of ours; any other throw is a defect. */
export class WaybillError extends Error {
  readonly reason: Reason;
  override readonly name = 'WaybillError';

  constructor(why: Reason, options?: { cause?: unknown }) {
    super(reasonText(why), options);
    this.reason = why;
  }
}

/** Shorthand: `throw fail(R.tooLong, {expected, actual})`. */
export function fail(spec: ReasonSpec, detail: ReasonDetail, cause?: unknown): WaybillError {
  return new WaybillError(reason(spec, detail), cause === undefined ? undefined : { cause });
}
