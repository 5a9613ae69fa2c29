/** Counters of one webhook, in a registry of their own. No names of objects or users: they are unbounded. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Judge } from '#facts';
import type { Outcome } from './admission.ts';
import type { ExceptionCounts } from './exceptions.ts';

export interface AdmissionMetrics {
  record(path: 'mutate' | 'validate', outcome: Outcome, seconds: number): void;
  defect(): void;
  /** Text exposition format. */
  text(): Promise<string>;
  readonly contentType: string;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(
  judge: Judge,
  certificateExpiry: () => number,
  exceptionCounts?: () => ExceptionCounts,
): AdmissionMetrics {
  const registry = new Registry();
  const registers = [registry];
  const reviews = new Counter({
    name: 'waybill_admission_reviews_total',
    help: 'Admission reviews by path and outcome.',
    labelNames: ['path', 'outcome'],
    registers,
  });
  const checks = new Counter({
    name: 'waybill_admission_checks_total',
    help: 'Results of policy checks on images.',
    labelNames: ['policy', 'rule', 'mode', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'waybill_admission_review_duration_seconds',
    help: 'Time to answer an admission review.',
    labelNames: ['path'],
    buckets: BUCKETS,
    registers,
  });
  const defects = new Counter({
    name: 'waybill_admission_defects_total',
    help: 'Reviews denied because of a defect.',
    registers,
  });
  gauges(judge, certificateExpiry, registers);
  const exceptions = exceptionCounts && exceptionMetrics(exceptionCounts, registers);
  return {
    record(path, outcome, seconds) {
      reviews.inc({ path, outcome: outcome.kind });
      duration.observe({ path }, seconds);
      for (const { policy, rule, mode, status } of outcome.decision?.results ?? []) {
        checks.inc({ policy, rule, mode, status });
      }
      for (const { exception } of outcome.uses ?? []) exceptions?.inc({ exception: exception.name });
    },
    defect: () => defects.inc(),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** Names of exceptions are as few as the files of the folder. */
function exceptionMetrics(counts: () => ExceptionCounts, registers: Registry[]): Counter<'exception'> {
  new Gauge({
    name: 'waybill_admission_exceptions',
    help: 'Exceptions in the folder: active, approved outside their time, refused.',
    labelNames: ['state'],
    registers,
    collect() {
      const { active, inactive, refused } = counts();
      for (const [state, value] of Object.entries({ active, inactive, refused })) this.set({ state }, value);
    },
  });
  new Gauge({
    name: 'waybill_admission_exception_uses_pending',
    help: 'Recorded uses of exceptions that are in no transparency log yet.',
    registers,
    collect() {
      this.set(counts().pendingUses);
    },
  });
  return new Counter({
    name: 'waybill_admission_exception_uses_total',
    help: 'Images admitted by an exception.',
    labelNames: ['exception'],
    registers,
  });
}

function gauges(judge: Judge, certificateExpiry: () => number, registers: Registry[]): void {
  new Gauge({
    name: 'waybill_admission_certificate_expiry_seconds',
    help: 'When the serving certificate ends, in seconds since the epoch.',
    registers,
    collect() {
      this.set(Math.floor(certificateExpiry() / 1000));
    },
  });
  new Gauge({
    name: 'waybill_facts_lookups',
    help: 'Lookups of facts: answered from memory, joined to a running one, registry reads.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, value] of Object.entries(judge.counts)) this.set({ kind }, value);
    },
  });
}
