/** signing_config.v0.2.json: where to sign, and the choice among several services. */
import { limits } from '#base/limits';
import { fail, reason } from '#base/reason';
import { attempt, err, isNonEmpty, type NonEmpty, ok, type Result, unwrap } from '#base/result';
import { type JsonObject, type JsonReader, type JsonValue, parseJson, protoReader } from './json.ts';
import { R } from './sigstore-reasons.ts';
import { isValidAt, type Validity, validityValue } from './trusted-root.ts';

export const SIGNING_CONFIG_V02 = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';

export interface Service {
  /** A base URL; for time stamping the full request URL. */
  readonly url: string;
  readonly majorApiVersion: number;
  readonly validFor: Validity;
  readonly operator: string;
}

export type ServiceSelector =
  | { readonly selector: 'ANY' }
  | { readonly selector: 'ALL' }
  | { readonly selector: 'EXACT'; readonly count: number };

export interface SigningConfig {
  readonly caUrls: readonly Service[];
  readonly oidcUrls: readonly Service[];
  readonly rekorTlogUrls: readonly Service[];
  readonly tsaUrls: readonly Service[];
  readonly rekorTlogConfig: ServiceSelector;
  readonly tsaConfig: ServiceSelector;
}

const SERVICES_MAX = 256;

/** Parses a signing configuration. Fails with WB-167 or a JSON reason. */
export function parseSigningConfig(input: Uint8Array | string): Result<SigningConfig> {
  return attempt(() =>
    signingConfigFromJson(unwrap(parseJson(input, { maxBytes: limits.trustedRootBytes }))),
  );
}

function signingConfigFromJson(value: JsonValue): SigningConfig {
  const json = protoReader(value, 'signingConfig', { as: R.signingConfig });
  const mediaType = json.string('mediaType');
  if (mediaType !== SIGNING_CONFIG_V02) throw json.wrong('mediaType', SIGNING_CONFIG_V02, mediaType);
  const services = (key: string): Service[] => json.children(key, SERVICES_MAX).map(readService);
  return {
    caUrls: services('caUrls'),
    oidcUrls: services('oidcUrls'),
    rekorTlogUrls: services('rekorTlogUrls'),
    tsaUrls: services('tsaUrls'),
    rekorTlogConfig: readSelector(json.optionalChild('rekorTlogConfig')),
    tsaConfig: readSelector(json.optionalChild('tsaConfig')),
  };
}

function readService(json: JsonReader): Service {
  const url = json.text('url');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw json.wrong('url', 'an http or https URL', url);
  const range = json.child('validFor');
  const end = range.optionalTime('end');
  return {
    url,
    majorApiVersion: json.integer('majorApiVersion'),
    validFor: { start: range.time('start'), ...(end === undefined ? {} : { end }) },
    operator: json.optionalString('operator') ?? '',
  };
}

function readSelector(json: JsonReader | undefined): ServiceSelector {
  const selector = json?.optionalString('selector') ?? 'ANY';
  if (selector === 'ANY' || selector === 'ALL') return { selector };
  if (json === undefined || selector !== 'EXACT') {
    throw fail(R.signingConfig, { expected: 'a selector ANY, ALL or EXACT', actual: selector });
  }
  const count = json.integer('count');
  if (count === 0) throw json.wrong('count', 'at least 1', count);
  return { selector, count };
}

/** The text of a signing configuration. */
export function signingConfigJson(config: SigningConfig): string {
  return `${JSON.stringify(signingConfigValue(config), null, 2)}\n`;
}

function signingConfigValue(config: SigningConfig): JsonObject {
  const services = (list: readonly Service[]): JsonValue =>
    list.map(({ url, majorApiVersion, validFor, operator }) => ({
      url,
      majorApiVersion,
      validFor: validityValue(validFor),
      operator,
    }));
  return {
    mediaType: SIGNING_CONFIG_V02,
    caUrls: services(config.caUrls),
    oidcUrls: services(config.oidcUrls),
    rekorTlogUrls: services(config.rekorTlogUrls),
    tsaUrls: services(config.tsaUrls),
    rekorTlogConfig: { ...config.rekorTlogConfig },
    tsaConfig: { ...config.tsaConfig },
  };
}

export interface Selection {
  readonly services: readonly Service[];
  readonly selector: ServiceSelector;
  /** API versions the caller speaks. */
  readonly supportedVersions: readonly number[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** For ANY among several operators: an index below `count`. Default: the first. */
  readonly pick?: (count: number) => number;
}

/**
 * The services to use: valid now, of a supported version; of each operator the highest version, then the newest
 * start; in that order over all operators. ANY takes one, EXACT exactly `count` or fails, ALL every one.
 * Fails with WB-168.
 */
export function selectServices(selection: Selection): Result<NonEmpty<Service>> {
  const { selector, supportedVersions, now, pick = () => 0 } = selection;
  const usable = selection.services
    .filter(
      (service) => supportedVersions.includes(service.majorApiVersion) && isValidAt(service.validFor, now),
    )
    .sort((a, b) => b.majorApiVersion - a.majorApiVersion || b.validFor.start - a.validFor.start);
  const byOperator = new Map<string, Service>();
  for (const service of usable) {
    const key = service.operator === '' ? service.url : service.operator;
    if (!byOperator.has(key)) byOperator.set(key, service);
  }
  const candidates = [...byOperator.values()];
  const wanted = selector.selector === 'EXACT' ? selector.count : 1;
  if (!isNonEmpty(candidates) || candidates.length < wanted) {
    const expected = `${wanted} usable service${wanted === 1 ? '' : 's'} of API version ${supportedVersions.join(' or ')}`;
    return err(
      reason(R.selection, { expected, actual: `${candidates.length} of ${selection.services.length}` }),
    );
  }
  if (selector.selector === 'ANY') return ok([candidates[pick(candidates.length)] ?? candidates[0]]);
  if (selector.selector === 'ALL') return ok(candidates);
  return ok(candidates.slice(0, wanted) as unknown as NonEmpty<Service>);
}
