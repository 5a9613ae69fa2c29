/** What the metrics of each kind of station are, whichever process it runs in. */
import type { ClockWatch } from '#services/tsa';
import type { Log } from '#tlog';
import type { Made, StationMetrics } from './metrics.ts';

export const certificatesMade: Made = {
  name: 'certificates_total',
  help: 'Certificates issued.',
  method: 'POST',
  routes: ['/api/v1/signingCert', '/api/v2/signingCert'],
};

export const timestampsMade: Made = {
  name: 'timestamps_total',
  help: 'Answers to timestamp requests, refusals of RFC 3161 among them.',
  method: 'POST',
  routes: ['/api/v1/timestamp'],
};

export const entriesMade = (routes: readonly string[]): Made => ({
  name: 'entries_total',
  help: 'Entries logged.',
  method: 'POST',
  routes,
});

export const ctRoutes = ['/ct/v1/add-chain', '/ct/v1/add-pre-chain'];

export function tsaDays(metrics: StationMetrics, days: () => number): void {
  const other = 'timestamp_authority_certificate_valid_days_remaining';
  metrics.gauge('certificate_valid_days', 'Days the signing certificate is still valid.', days, other);
}

/** Under the names Sigstore's authority has for its monitoring of NTP (pkg/ntpmonitor). */
export function clockMetrics(metrics: StationMetrics, watch: ClockWatch): void {
  metrics.gauge(
    'clock_offset_seconds',
    'How far the sources of time are from the clock, by the one in the middle.',
    () => (watch.offsetMs ?? Number.NaN) / 1000,
  );
  metrics.tally({
    ...{ name: 'ntp_sync_total', help: 'Questions to a source of time.', labels: ['host', 'failed'] },
    otherName: 'timestamp_authority_ntp_sync_total',
    rows: () =>
      watch.counts.flatMap(({ name, answered, failed }) => [
        { labels: { host: name, failed: 'false' }, count: answered },
        { labels: { host: name, failed: 'true' }, count: failed },
      ]),
  });
  metrics.tally({
    ...{ name: 'ntp_errors_total', help: 'Comparisons of the clock that failed.', labels: ['reason'] },
    otherName: 'timestamp_authority_ntp_errors_total',
    rows: () => [
      { labels: { reason: 'err_too_few' }, count: watch.errors.tooFew },
      { labels: { reason: 'err_inv_time' }, count: watch.errors.offset },
    ],
  });
}

export function logMetrics(metrics: StationMetrics, log: () => Log): void {
  metrics.gauge('tree_size', 'Entries in the published tree.', () => log().tree.size);
  metrics.gauge('queue_entries', 'Entries that wait for a batch.', () => log().waiting);
  const at = (): number => Math.floor(log().tree.time / 1000);
  metrics.gauge('newest_entry_seconds', 'Time of the newest entry, in seconds since the epoch.', at);
  metrics.gauge('stopped', '1 when the log takes no entries.', () => (log().stopped === undefined ? 0 : 1));
}

export function attestationMetrics(
  metrics: StationMetrics,
  kept: () => { readonly bytes: number; readonly dropped: number },
): void {
  const bytes = (): number => kept().bytes;
  metrics.gauge('attestations_bytes', 'Statements of intoto entries that are kept, in bytes.', bytes);
  const dropped = (): number => kept().dropped;
  metrics.gauge('attestations_dropped', 'Statements that found no room since the start.', dropped);
}
