/** What an admission webhook is told at its start. */
import type { MirrorRule } from '#facts';

export type TlsConfig =
  /** PEM files; read again when they change. */
  | { readonly kind: 'files'; readonly certFile: string; readonly keyFile: string }
  /** A CA of our own and a leaf for `hosts`; kept in `dir` when given, else made anew at each start. */
  | { readonly kind: 'selfMade'; readonly hosts: readonly string[]; readonly dir?: string };

export interface AdmissionConfig {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly tls: TlsConfig;
  readonly policyFiles: readonly string[];
  readonly trustedRootFile: string;
  /** Namespaces (wildcards allowed) whose objects are admitted unseen; each use is counted and logged. */
  readonly excludedNamespaces?: readonly string[];
  /** The webhook's own namespace: always admitted, so that it can start again by itself. */
  readonly ownNamespace?: string;
  /** What happens to images no policy covers. Default warn. */
  readonly unmatched?: Unmatched;
  readonly mirrors?: readonly MirrorRule[];
  /** Absent: no exception is honoured. */
  readonly exceptions?: ExceptionsConfig;
  /** Milliseconds between looks at the certificate, policy and root files. Default 10 000. */
  readonly reloadMs?: number;
  /** Milliseconds a tag stays resolved. Default 30 000. */
  readonly tagTtlMs?: number;
}

export interface ExceptionsConfig {
  /** Exceptions and revocations, `*.json`; read again at each reload. */
  readonly dir: string;
  /** Who may approve. */
  readonly approversFile: string;
  /** Where each use is recorded before the answer; on a disk that can be written. */
  readonly outboxFile: string;
}

export type Unmatched = 'allow' | 'warn' | 'deny';

export const RELOAD_MS_DEFAULT = 10_000;
export const TAG_TTL_MS_DEFAULT = 30_000;
/** What the API server allows when it does not say (admissionregistration.k8s.io/v1). */
export const TIMEOUT_SECONDS_DEFAULT = 10;
