/** The services one signature uses, chosen from a signing config or named by URL. */
import type { Random } from '#base/random';
import { fail } from '#base/reason';
import { unwrap } from '#base/result';
import { type SigningConfig, selectServices } from '#formats/signing-config';
import { R } from './reasons.ts';

export interface LogService {
  /** Base URL. */
  readonly url: string;
  readonly version: 1 | 2;
}

export interface SigningServices {
  /** Base URL of the certificate authority; absent when a key signs. */
  readonly ca?: string;
  readonly logs: readonly LogService[];
  /** Full request URLs. */
  readonly tsas: readonly string[];
}

/** Fulcio's API is version 1 in signing configs although its path says v2. */
const CA_VERSIONS = [1];
const TSA_VERSIONS = [1];

/**
 * Chooses services that are valid now. Throws WB-168 when a kind that is listed has none that can be used, and
 * WB-819 when there is no log at all.
 */
export function servicesFrom(
  config: SigningConfig,
  options: { readonly now: number; readonly random: Random; readonly logVersions?: readonly (1 | 2)[] },
): SigningServices {
  const { now, random, logVersions = [1, 2] } = options;
  const pick = (count: number): number => (random.bytes(1)[0] ?? 0) % count;
  const common = { now, pick };
  if (config.rekorTlogUrls.length === 0) {
    throw fail(R.services, { expected: 'a transparency log in the signing config', actual: 'none' });
  }
  const logs = unwrap(
    selectServices({
      ...common,
      services: config.rekorTlogUrls,
      selector: config.rekorTlogConfig,
      supportedVersions: logVersions,
    }),
  );
  const any = { selector: 'ANY' } as const;
  const cas =
    config.caUrls.length === 0
      ? []
      : unwrap(
          selectServices({
            ...common,
            services: config.caUrls,
            selector: any,
            supportedVersions: CA_VERSIONS,
          }),
        );
  const tsas =
    config.tsaUrls.length === 0
      ? []
      : unwrap(
          selectServices({
            ...common,
            services: config.tsaUrls,
            selector: config.tsaConfig,
            supportedVersions: TSA_VERSIONS,
          }),
        );
  const [ca] = cas;
  return {
    ...(ca === undefined ? {} : { ca: ca.url }),
    logs: logs.map(({ url, majorApiVersion }) => ({ url, version: majorApiVersion as 1 | 2 })),
    tsas: tsas.map(({ url }) => url),
  };
}
