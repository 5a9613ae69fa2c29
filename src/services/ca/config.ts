/** What a certificate authority needs, and the table of issuers it believes. */
import { parse as parseYaml } from 'yaml';
import type { Clock } from '#base/clock';
import type { PublicKey } from '#base/crypto';
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { builtInProviders } from '#formats/ci-providers';
import { type CiProvider, claimOfTemplateName, ruleFault } from '#formats/ci-template';
import { isJsonObject, type JsonReader, type JsonValue, reader } from '#formats/json';
import { pemDecode } from '#formats/pem';
import { fulcioExtensions } from '#formats/x509';
import type { Transport } from '#platform/http-client';
import type { KeyHolders, KeyStore } from '#platform/key-store';
import type { Logger } from '#platform/telemetry';
import type { CtSubmitter } from './ct-client.ts';
import { R } from './reasons.ts';

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

export interface CaConfig {
  readonly keys: KeyStore;
  /** Where its keys are held; without it in `keys`, which holds the certificates in any case. */
  readonly holders?: KeyHolders;
  readonly issuers: IssuerTable;
  readonly ct: CtSubmitter;
  /** The log's key: no certificate leaves without an SCT that verifies against it. */
  readonly ctKey: PublicKey;
  readonly clock: Clock;
  readonly random: Random;
  /** For discovery and keys of issuers. */
  readonly transport: Transport;
  readonly log: Logger;
  /** The O of both authority certificates. Default `waybill`. */
  readonly organization?: string;
  /** Milliseconds; default 10 minutes. */
  readonly leafLifetimeMs?: number;
  /** Certificates per identity and minute; no limit when absent. */
  readonly issuancesPerMinute?: number;
}

export const issuerTypes = [
  'email',
  'github-workflow',
  'gitlab-pipeline',
  'buildkite-job',
  'codefresh-workflow',
  'chainguard-identity',
  'kubernetes',
  'spiffe',
  'uri',
  'username',
  'ci-provider',
] as const;
export type IssuerType = (typeof issuerTypes)[number];

export interface IssuerConfig {
  /** The `iss` claim, exactly; in a meta issuer `*` stands for one or more of `-_a-zA-Z0-9`. */
  readonly issuerUrl: string;
  /** The audience tokens must be for. */
  readonly clientId: string;
  readonly type: IssuerType;
  /** For `ci-provider`: a name in the table of providers. */
  readonly ciProvider?: string;
  /** JSON path (`$.a.b`) of the claim that names the issuer for e-mail identities. */
  readonly issuerClaim?: string;
  /** For `uri` a URL whose scheme and host subjects must have; for `username` the part after `!`. */
  readonly subjectDomain?: string;
  readonly spiffeTrustDomain?: string;
  /** The claim a proof of possession signs. Default: `email` for e-mail, `sub` otherwise. */
  readonly challengeClaim?: string;
  readonly skipEmailVerification?: boolean;
  /** PEM of the authorities behind the issuer's TLS, believed for it alone and beside those of the system. */
  readonly caCert?: string;
}

export interface IssuerTable {
  /** The configuration for an `iss` claim: exact ones first, then patterns. */
  find(issuer: string): { readonly config: IssuerConfig; readonly isMeta: boolean } | undefined;
  provider(name: string): CiProvider | undefined;
  readonly issuers: readonly IssuerConfig[];
  readonly metaIssuers: readonly IssuerConfig[];
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

const META_PART = '[-_a-zA-Z0-9]+';

/** Checks a set of issuers and makes it searchable. Throws WB-1017. */
export function issuerTable(
  issuers: readonly IssuerConfig[],
  metaIssuers: readonly IssuerConfig[] = [],
  providers: ReadonlyMap<string, CiProvider> = new Map(),
): IssuerTable {
  const known = new Map([...builtInProviders, ...providers]);
  for (const issuer of [...issuers, ...metaIssuers]) checkIssuer(issuer, known);
  const exact = new Map(issuers.map((issuer) => [issuer.issuerUrl, issuer]));
  if (exact.size !== issuers.length) {
    throw fail(R.config, { expected: 'each issuer once', actual: 'one issuer URL twice' });
  }
  // Anchored at both ends: an unanchored pattern once let any host that contains a good one in.
  const patterns = metaIssuers.map((config) => {
    const parts = config.issuerUrl.split('*').map(escaped);
    return { config, pattern: new RegExp(`^${parts.join(META_PART)}$`) };
  });
  return {
    issuers,
    metaIssuers,
    provider: (name) => known.get(name),
    find: (issuer) => {
      const config = exact.get(issuer);
      if (config !== undefined) return { config, isMeta: false };
      const meta = patterns.find(({ pattern }) => pattern.test(issuer));
      return meta === undefined ? undefined : { config: { ...meta.config, issuerUrl: issuer }, isMeta: true };
    },
  };
}

function checkIssuer(issuer: IssuerConfig, providers: ReadonlyMap<string, CiProvider>): void {
  const refuse = (expected: string, actual: string): never => {
    throw fail(R.config, { expected: `issuer ${issuer.issuerUrl}: ${expected}`, actual });
  };
  const url = URL.parse(issuer.issuerUrl.replaceAll('*', 'x'));
  const isLocal = url?.protocol === 'http:' && /^(127\.|localhost$|\[::1\]$)/.test(url.hostname);
  if (url === null || (url.protocol !== 'https:' && !isLocal)) refuse('an https URL', issuer.issuerUrl);
  if (issuer.clientId === '') refuse('a client id', 'an empty one');
  if (!issuerTypes.includes(issuer.type)) refuse(`a type of ${issuerTypes.join(', ')}`, issuer.type);
  const caCert = issuer.caCert === undefined ? undefined : pemDecode(issuer.caCert, 'CERTIFICATE');
  if (caCert?.ok === false) refuse('ca-cert as PEM certificates', caCert.error.actual);
  if (issuer.type === 'spiffe' && !issuer.spiffeTrustDomain) refuse('spiffe-trust-domain', 'none');
  if (issuer.type === 'username' && !issuer.subjectDomain) refuse('subject-domain', 'none');
  if (issuer.type === 'uri') checkSubjectDomain(issuer, isLocal ? undefined : url?.hostname, refuse);
  const provider = issuer.type === 'ci-provider' ? (issuer.ciProvider ?? '') : issuer.type;
  if (issuer.type === 'ci-provider' && !providers.has(provider)) refuse('a known ci-provider', provider);
}

/**
 * A URI subject says who owns a domain, so the issuer has to live in that domain (its last two labels). A
 * development issuer on this machine lives in none.
 */
function checkSubjectDomain(
  issuer: IssuerConfig,
  issuerHost: string | undefined,
  refuse: (expected: string, actual: string) => never,
): void {
  const host = URL.parse(issuer.subjectDomain ?? '')?.hostname;
  const top = (name: string): string => name.split('.').slice(-2).join('.');
  if (host === undefined || (issuerHost !== undefined && top(host) !== top(issuerHost))) {
    refuse('subject-domain as a URL in the domain of the issuer', issuer.subjectDomain ?? 'none');
  }
}

const issuerFields: Readonly<Record<string, keyof IssuerConfig>> = {
  'issuer-url': 'issuerUrl',
  'client-id': 'clientId',
  type: 'type',
  'ci-provider': 'ciProvider',
  'issuer-claim': 'issuerClaim',
  'subject-domain': 'subjectDomain',
  'spiffe-trust-domain': 'spiffeTrustDomain',
  'challenge-claim': 'challengeClaim',
  'skip-email-verification': 'skipEmailVerification',
  'ca-cert': 'caCert',
};
/** Said by others' configurations for people; they change nothing here. */
const ignoredFields = new Set(['contact', 'description', 'environment']);

const ALIASES_MAX = 100;

/** YAML 1.1 ends the name of an alias at a colon, as the configuration Fulcio ships needs; 1.2 takes it in. */
const aliasKeys = (text: string): string => text.replace(/^(\s*\*[\w-]+):(?=\s)/gm, '$1 :');

/**
 * Reads issuers from YAML or JSON in the form Fulcio's configuration has: `oidc-issuers`, `meta-issuers` and
 * `ci-issuer-metadata`. Unknown fields are refused. Throws WB-1017.
 */
export function readIssuerTable(text: string): IssuerTable {
  let value: JsonValue;
  try {
    value = parseYaml(aliasKeys(text), { maxAliasCount: ALIASES_MAX, uniqueKeys: true }) as JsonValue;
  } catch (error) {
    throw fail(R.config, { expected: 'YAML or JSON', actual: (error as Error).message });
  }
  const root = reader(value, 'config', { as: R.config });
  // `define` holds anchors, and nothing that is read.
  requireKnown(root, ['define', 'oidc-issuers', 'meta-issuers', 'ci-issuer-metadata']);
  return issuerTable(
    readIssuers(root.optionalChild('oidc-issuers')),
    readIssuers(root.optionalChild('meta-issuers')),
    readProviders(root.optionalChild('ci-issuer-metadata')),
  );
}

function requireKnown(json: JsonReader, known: readonly string[]): void {
  for (const key of Object.keys(json.object)) {
    if (!known.includes(key)) throw json.wrong(key, `one of ${known.join(', ')}`, key);
  }
}

function readIssuers(table: JsonReader | undefined): IssuerConfig[] {
  return Object.keys(table?.object ?? {}).map((url) => {
    const json = (table as JsonReader).child(url);
    const out: Record<string, JsonValue> = { issuerUrl: url };
    for (const [key, value] of Object.entries(json.object)) {
      if (ignoredFields.has(key)) continue;
      const field = Object.hasOwn(issuerFields, key) ? issuerFields[key] : undefined;
      const isFitting = typeof value === (field === 'skipEmailVerification' ? 'boolean' : 'string');
      if (field === undefined || !isFitting) throw json.wrong(key, 'a field of an issuer', value);
      if (field === 'issuerUrl' && value !== url)
        throw json.wrong(key, `the key of the entry, ${url}`, value);
      out[field] = value;
    }
    json.text('client-id');
    json.text('type');
    return out as unknown as IssuerConfig;
  });
}

function readProviders(table: JsonReader | undefined): Map<string, CiProvider> {
  const providers = new Map<string, CiProvider>();
  for (const name of Object.keys(table?.object ?? {})) {
    const json = (table as JsonReader).child(name);
    requireKnown(json, [
      'default-template-values',
      'extension-templates',
      'subject-alternative-name-template',
    ]);
    const defaults = json.optionalChild('default-template-values')?.object ?? {};
    const templates = json.optionalChild('extension-templates')?.object ?? {};
    const extensions = Object.entries(templates).map(([key, template]) => {
      const claim = claimOfTemplateName(key);
      if (claim === undefined || typeof template !== 'string') {
        throw json.wrong(key, `an extension name (${fulcioExtensions.length} are known)`, template);
      }
      return [claim, requireTemplate(template)] as const;
    });
    providers.set(name, {
      defaults: new Map(Object.entries(defaults).map(([key, value]) => [key, textOf(json, key, value)])),
      san: requireTemplate(json.text('subject-alternative-name-template')),
      extensions,
    });
  }
  return providers;
}

/** The rule itself if it can be applied. Throws WB-1017. */
function requireTemplate(rule: string): string {
  const fault = ruleFault(rule);
  if (fault === undefined) return rule;
  throw fail(R.config, {
    expected:
      '{{ .claim }}, {{ index . "claim" }}, or {{ if eq .claim "text" }} with else and end, not nested',
    actual: fault,
  });
}

function textOf(json: JsonReader, key: string, value: JsonValue): string {
  if (typeof value !== 'string' || isJsonObject(value)) throw json.wrong(key, 'a string', value);
  return value;
}
