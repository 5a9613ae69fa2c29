/** Plain words for what the field names by URI, code and millisecond. */
import { COSIGN_SIGN_V1 } from '#formats/intoto';

export type Topic = 'signature' | 'provenance' | 'sbom' | 'scan' | 'vsa' | 'other';

export interface Naming {
  readonly topic: Topic;
  readonly what: string;
  readonly form?: string;
}

const namings: Readonly<Record<string, Naming>> = {
  [COSIGN_SIGN_V1]: { topic: 'signature', what: 'Signature' },
  'https://slsa.dev/provenance/v1': { topic: 'provenance', what: 'Build provenance', form: 'SLSA v1' },
  'https://slsa.dev/provenance/v0.2': { topic: 'provenance', what: 'Build provenance', form: 'SLSA v0.2' },
  'https://cyclonedx.org/bom': { topic: 'sbom', what: 'SBOM', form: 'CycloneDX' },
  'https://spdx.dev/Document': { topic: 'sbom', what: 'SBOM', form: 'SPDX' },
  'https://cosign.sigstore.dev/attestation/vuln/v1': { topic: 'scan', what: 'Vulnerability scan' },
  'https://in-toto.io/attestation/vulns/v0.1': { topic: 'scan', what: 'Vulnerability scan', form: 'in-toto' },
  'https://slsa.dev/verification_summary/v1': { topic: 'vsa', what: 'Verification summary', form: 'VSA' },
  'https://openvex.dev/ns': { topic: 'other', what: 'Exploitability statement', form: 'OpenVEX' },
};

const FORM_CHARS_MAX = 60;

/** In the order a reader asks: who signed, built how, what is inside, what is wrong with it, who checked. */
export const topics: readonly Topic[] = ['signature', 'provenance', 'sbom', 'scan', 'vsa', 'other'];

export function namingOf(predicateType: string | undefined): Naming {
  if (predicateType === undefined) return { topic: 'other', what: 'Attachment' };
  const known = Object.hasOwn(namings, predicateType) ? namings[predicateType] : undefined;
  return known ?? { topic: 'other', what: 'Attestation', form: shortened(predicateType, FORM_CHARS_MAX) };
}

export const PLAIN_SIGNATURE: Naming = { topic: 'signature', what: 'Signature', form: 'over the digest' };
export const SIMPLE_SIGNATURE: Naming = { topic: 'signature', what: 'Signature', form: 'simple signing' };

/** `2026-11-21 13:28:06 UTC` */
export const timeText = (ms: number): string =>
  `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

export const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** `3 days`, `1 hour`: the largest whole unit. */
export function spanText(ms: number): string {
  const span = Math.abs(ms);
  const unit = (size: number, name: string): string => counted(Math.floor(span / size), name);
  if (span >= 2 * 365 * DAY_MS) return unit(365 * DAY_MS, 'year');
  if (span >= DAY_MS) return unit(DAY_MS, 'day');
  if (span >= HOUR_MS) return unit(HOUR_MS, 'hour');
  if (span >= MINUTE_MS) return unit(MINUTE_MS, 'minute');
  return 'less than a minute';
}

export const counted = (count: number, name: string, plural = `${name}s`): string =>
  `${count} ${count === 1 ? name : plural}`;

/** `sha256:6f4076dcd967…` */
export const shortDigest = (digest: string): string => {
  const at = digest.indexOf(':') + 1;
  return digest.length - at <= 12 ? digest : `${digest.slice(0, at + 12)}…`;
};

const segmenter = new Intl.Segmenter('en');

/** As readers count them. */
export const characters = (text: string): readonly string[] =>
  Array.from(segmenter.segment(text), ({ segment }) => segment);

/** At most `max` characters, the middle left out: both ends of an identity matter. */
export function shortened(text: string, max: number): string {
  const all = characters(text);
  if (all.length <= max) return text;
  const tail = Math.floor((max - 1) / 2);
  return `${all.slice(0, max - 1 - tail).join('')}…${all.slice(all.length - tail).join('')}`;
}
