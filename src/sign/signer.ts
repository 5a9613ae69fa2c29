/**
 * The signing pipeline: credential → signature → timestamps → log entries → bundle → verified from its bytes.
 * Timestamps come before the log, so that a refusal leaves no entry behind that nobody can use.
 */

import type { Digest } from '#base/brand';
import type { PrivateKey } from '#base/crypto';
import { digestFromBytes } from '#base/digest';
import { fail, type Reason, reason, WaybillError } from '#base/reason';
import { unwrap } from '#base/result';
import type { Secret } from '#base/secret';
import { bundleBytes, type ParsedBundle, parseBundle, type TransparencyLogEntry } from '#formats/bundle';
import type { Envelope } from '#formats/dsse';
import type { TrustedRoot } from '#formats/trusted-root';
import type { Certificate } from '#formats/x509';
import type { Transport } from '#platform/http-client';
import {
  type Accepted,
  type Requirements,
  requireKey,
  trustMaterial,
  verifyBundle,
  withoutIdentityUnsafe,
} from '#verify';
import { caClient } from './ca-client.ts';
import { type SignContent, type Signed, signContent } from './content.ts';
import type { ContentKey } from './content-key.ts';
import {
  type Credential,
  type KeyAlgorithm,
  keyCredential,
  keylessCredential,
  type OwnCertificate,
  type TokenSource,
} from './credential.ts';
import type { WireDeps } from './http.ts';
import { type LegacyPieces, legacyPieces } from './legacy.ts';
import { type LogClient, logClient } from './log-client.ts';
import { R } from './reasons.ts';
import type { SigningServices } from './services.ts';
import { type TsaClient, tsaClient } from './tsa-client.ts';

export interface SignerOptions extends WireDeps {
  readonly identity:
    | {
        readonly kind: 'token';
        readonly token: Secret | TokenSource;
        readonly audience?: string;
        /** Of the key that is made for the certificate; P-256 when absent. */
        readonly keyAlgorithm?: KeyAlgorithm;
        /** Certified instead of a key that is made for it. */
        readonly key?: ContentKey;
      }
    | { readonly kind: 'key'; readonly key: PrivateKey | ContentKey; readonly certified?: OwnCertificate };
  readonly services: SigningServices;
  /** Of timestamp authorities, where it is another: with an identity or an authority of its own. */
  readonly tsaTransport?: Transport;
  /** Signs without a log where the services name none: such a signature convinces only who gives the log up. */
  readonly unloggedUnsafe?: boolean;
  /** Every signature is verified against it before it is given out. */
  readonly trustedRoot: TrustedRoot;
}

export interface SignResult {
  /** A bundle 0.3 as UTF-8 JSON: the bytes that were verified. */
  readonly bundle: Uint8Array;
  readonly signature: Uint8Array;
  readonly envelope?: Envelope;
  readonly certificate?: Certificate;
  readonly entries: readonly TransparencyLogEntry[];
  /** The verdict over the bundle's own bytes. */
  readonly verdict: Accepted;
  /** What the legacy layout of cosign stores beside the payload. */
  readonly legacy: LegacyPieces;
}

export interface Signer {
  /**
   * Signs and verifies the result. Throws WB-810…WB-812 (refused, exit 30), WB-813, WB-814 (exit 20), WB-815 when
   * the result does not verify (with the exit code of the failed check), or identity reasons (exit 31).
   */
  sign(content: SignContent): Promise<SignResult>;
}

export function createSigner(options: SignerOptions): Signer {
  const { identity, services } = options;
  requireServices(options);
  const credential =
    identity.kind === 'key'
      ? keyCredential(identity.key, identity.certified)
      : keylessCredential(identity.token, caClient(services.ca as string, options), options, identity);
  const toTsa = { ...options, transport: options.tsaTransport ?? options.transport };
  const tsas = services.tsas.map((url) => tsaClient(url, toTsa));
  const logs = services.logs.map(({ url, version }) => logClient(url, version, options));
  const trusted = trustMaterial(options.trustedRoot);
  return {
    sign: async (content) => {
      const by = await credential();
      const { signed, timestamps, entries } = await signAndLog(content, by, { tsas, logs });
      const { signature, envelope } = signed;
      const bundle = bundleBytes({
        material:
          by.certificate === undefined
            ? { kind: 'publicKey', hint: by.hint }
            : { kind: 'certificate', certificate: by.certificate },
        tlogEntries: entries,
        timestamps,
        content: signed.content,
      });
      const verdict = verifyOwn(bundle, content, by, trusted, options);
      const { certificate } = by;
      return {
        bundle,
        signature,
        entries,
        verdict,
        legacy: legacyPieces(by, signed, entries, timestamps),
        ...(envelope === undefined ? {} : { envelope }),
        ...(certificate === undefined ? {} : { certificate }),
      };
    },
  };
}

interface Evidence {
  readonly signed: Signed;
  readonly timestamps: readonly Uint8Array[];
  readonly entries: readonly TransparencyLogEntry[];
}

interface Witnesses {
  readonly tsas: readonly TsaClient[];
  readonly logs: readonly LogClient[];
}

const SIGNATURES_MAX = 3;

/**
 * Signs, stamps and logs. When a log has the entry already, from an attempt whose answer was lost, a second
 * signature over the same content is another entry: ECDSA signatures differ each time.
 */
async function signAndLog(
  content: SignContent,
  by: Credential,
  { tsas, logs }: Witnesses,
): Promise<Evidence> {
  for (let attempt = 1; ; attempt++) {
    const pureEnvelopes = logs.every((log) => log.version === 1);
    const signed = await signContent(content, by.key, { pureEnvelopes });
    const { signature, digest, isPure, envelope } = signed;
    const timestamps = await Promise.all(tsas.map((tsa) => tsa.timestamp(signature)));
    const submission = {
      digest,
      signature,
      isPure,
      key: by.key.publicKey,
      verifierPem: by.verifierPem,
      ...(by.certificate === undefined ? {} : { certificate: by.certificate.der }),
      ...(envelope === undefined ? {} : { envelope }),
    };
    const entries = await Promise.all(logs.map((log) => log.submit(submission)));
    if (entries.every((entry) => entry !== 'duplicate')) return { signed, timestamps, entries };
    if (attempt < SIGNATURES_MAX && !isDeterministic(by.key)) continue;
    throw fail(R.logRefused, {
      expected: 'a log that takes this signature as new',
      actual: 'one that has it and does not hand out its entry',
      hint: 'the same content was signed by this key before; use that signature, or a log of API version 1',
    });
  }
}

/** Signing again gives the same signature. */
const isDeterministic = ({ publicKey }: ContentKey): boolean =>
  publicKey.kind === 'rsa' || publicKey.kind === 'ed25519';

function requireServices({ identity, services, unloggedUnsafe }: SignerOptions): void {
  const missing = (expected: string): WaybillError => fail(R.services, { expected, actual: 'none' });
  if (services.logs.length === 0 && unloggedUnsafe !== true) throw missing('a transparency log');
  if (identity.kind === 'key') return;
  if (services.ca === undefined) throw missing('a certificate authority');
  // A v2 log gives no time, and a certificate is worth nothing without one.
  if (services.tsas.length === 0 && services.logs.every((log) => log.version === 2)) {
    throw missing('a timestamp authority beside a log of API version 2');
  }
}

/** Judges the bundle as any verifier would, from its bytes and the trusted root alone. */
function verifyOwn(
  bundle: Uint8Array,
  content: SignContent,
  by: Credential,
  trustedRoot: ReturnType<typeof trustMaterial>,
  { clock, identity, services }: SignerOptions,
): Accepted {
  const parsed = unwrap(parseBundle(bundle));
  const own = {
    content,
    by,
    ctLogs: trustedRoot.ctlogs.size,
    isUnlogged: services.logs.length === 0,
    // A certificate of one's own may outlive the moment; one for an identity needs a trusted time.
    isUntimed: identity.kind === 'key' && isUntimed(parsed),
  };
  const verdict = verifyBundle({
    artifact: artifactOf(content),
    bundle: parsed,
    trustedRoot,
    requirements: ownRequirements(own),
    now: clock.now(),
  });
  if (verdict.outcome === 'accepted') return verdict;
  throw selfCheckError(verdict.outcome === 'rejected' ? verdict.reason : verdict.cause);
}

function artifactOf(content: SignContent): Uint8Array | Digest {
  if (content.kind === 'digest') return digestFromBytes(content.algorithm, content.value);
  return content.kind === 'message' ? content.bytes : new Uint8Array();
}

/** Whether nobody says when the signature was made. */
export const isUntimed = ({ tlogEntries, timestamps }: ParsedBundle): boolean =>
  timestamps.length === 0 && tlogEntries.every(({ inclusionPromise }) => inclusionPromise === undefined);

interface Own {
  readonly content: SignContent;
  readonly by: Credential;
  readonly ctLogs: number;
  readonly isUnlogged: boolean;
  readonly isUntimed: boolean;
}

function ownRequirements({ content, by, ctLogs, isUnlogged, isUntimed: timeless }: Own): Requirements {
  const tlog = isUnlogged ? { tlog: 'notRequiredUnsafe' as const } : {};
  // What a statement is about is the caller's affair: its subjects need not be at hand here.
  const subject = content.kind === 'dsse' ? ('notRequiredUnsafe' as const) : ('artifact' as const);
  if (by.certificate === undefined) return unwrap(requireKey(by.key.publicKey, { subject, ...tlog }));
  // The certificate's key is ours, so its signature is; whom it names was the authority's decision.
  const sct = ctLogs === 0 ? ('notRequiredUnsafe' as const) : 1;
  const time = timeless ? { time: { kind: 'current' as const } } : {};
  return unwrap(withoutIdentityUnsafe({ subject, sct, isOfAnyAuthority: true, ...time, ...tlog }));
}

function selfCheckError(inner: Reason): WaybillError {
  const outer = reason(R.selfCheck, {
    expected: `${inner.check}: ${inner.expected}`,
    actual: `${inner.actual} (${inner.code})`,
  });
  return new WaybillError({ ...outer, exit: inner.exit, class: inner.class });
}
