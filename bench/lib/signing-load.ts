/** Clients that sign as strangers do: a token, trust from the TUF repository, a certificate, time, a log, an image. */
import { join } from 'node:path';
import type { Digest } from '#base/brand';
import { unwrap } from '#base/result';
import { signImage } from '#flows/sign-image';
import { parseBundle } from '#formats/bundle';
import { Registry } from '#oci';
import { httpTransport } from '#platform/http-client';
import { systemClock, systemRandom } from '#platform/system';
import { createSigner, servicesFrom } from '#sign';
import { fetchDevelopmentToken, type Origins } from '#stack';
import { loadTrust, type Trust } from '#trust';
import { identity, requireKeyless, trustMaterial, verifyBundle } from '#verify';

const wire = { transport: httpTransport(), clock: systemClock, random: systemRandom };
export const EMAIL = 'ada@example.com';
/** Targets of the signing configuration, one an API of the log. */
const configs = ['signing_config.v0.2.json', 'signing_config_rekor_v2.v0.2.json'] as const;

export interface Place {
  readonly dataDir: string;
  readonly registry: string;
  readonly origins: Origins;
}

export interface Made {
  readonly digest: Digest;
  readonly bundle: Uint8Array;
}

export function trustOf(
  { dataDir, origins }: Place,
  cacheDir: string,
  target: string = configs[0],
): Promise<Trust> {
  const root = join(dataDir, 'public', 'root.json');
  return loadTrust(
    { kind: 'tuf', mirror: origins.tuf, root, cacheDir, signingConfigTarget: target },
    { transport: wire.transport },
  );
}

/** Signs one image by what is published at this moment; the signer verifies what it made before it attaches it. */
export async function signOnce(
  place: Place,
  image: { readonly reference: string; readonly digest: Digest },
  turn: number,
  cacheDir: string,
): Promise<Made> {
  const config = configs[turn % configs.length] as string;
  const { trustedRoot, signingConfig } = await trustOf(place, cacheDir, config);
  if (signingConfig === undefined) throw new Error('a stack publishes a signing configuration');
  const token = await fetchDevelopmentToken(place.origins, { email: EMAIL, aud: 'sigstore' }, wire.transport);
  const services = servicesFrom(signingConfig, { now: wire.clock.now(), random: wire.random });
  const signer = createSigner({ ...wire, identity: { kind: 'token', token }, services, trustedRoot });
  const registry = new Registry({ transport: wire.transport, allowHttp: true, random: wire.random });
  const deps = { registry, signer, trustedRoot: trustMaterial(trustedRoot), clock: wire.clock };
  const options = { format: 'bundle', annotations: {}, recursive: false } as const;
  const [signed] = await signImage(image.reference, options, deps);
  const bundle = signed?.results[0]?.bundle;
  if (bundle === undefined) throw new Error('nothing was signed');
  return { digest: image.digest, bundle };
}

/** How many of `made` do not verify by the trust that is published now. */
export async function refusedOf(place: Place, made: readonly Made[], cacheDir: string): Promise<number> {
  const trustedRoot = trustMaterial((await trustOf(place, cacheDir)).trustedRoot);
  const who = unwrap(identity({ issuer: place.origins.oidc, san: EMAIL }));
  const requirements = unwrap(requireKeyless({ identities: [who] }));
  const verdicts = made.map(({ digest: artifact, bundle }) =>
    verifyBundle({
      ...{ artifact, trustedRoot, requirements, now: wire.clock.now() },
      bundle: unwrap(parseBundle(bundle)),
    }),
  );
  return verdicts.filter(({ outcome }) => outcome !== 'accepted').length;
}
