/** Bundles put to the JavaScript reference client, with the demands `sigstoreQuestion` makes of ours. */
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { type TrustMaterial, toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import type { PublicKey } from '#base/crypto';
import type { JsonObject } from '#formats/json';

export interface ReferenceQuestion {
  readonly bundle: JsonObject;
  readonly artifact: Uint8Array;
  readonly trustedRoot: unknown;
  /** A bare key, or whose certificate it has to be. */
  readonly signer: { readonly key: PublicKey } | { readonly issuer: string; readonly san: string };
}

const prepared = new Map<unknown, TrustedRoot>();

/** A trusted root is read once; the client takes its time for it. */
function rootOf(value: unknown): TrustedRoot {
  const known = prepared.get(value) ?? TrustedRoot.fromJSON(value);
  prepared.set(value, known);
  return known;
}

const materials = new Map<unknown, TrustMaterial>();

function trustOf({ trustedRoot, signer }: ReferenceQuestion): TrustMaterial {
  if ('key' in signer) {
    return toTrustMaterial(rootOf(trustedRoot), () => ({
      publicKey: signer.key.handle,
      validFor: () => true,
    }));
  }
  const known = materials.get(trustedRoot) ?? toTrustMaterial(rootOf(trustedRoot));
  materials.set(trustedRoot, known);
  return known;
}

/** Undefined when it accepts; else what it says. One log, one CT log, one trusted time. */
export function referenceRefusal(question: ReferenceQuestion): string | undefined {
  const { bundle: json, artifact, signer } = question;
  try {
    const thresholds = { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 };
    const bundle = bundleFromJSON(structuredClone(json));
    const isMessage = bundle.content.$case === 'messageSignature';
    const entity = toSignedEntity(bundle, isMessage ? Buffer.from(artifact) : undefined);
    new Verifier(trustOf(question), thresholds).verify(
      entity,
      'key' in signer
        ? undefined
        : { subjectAlternativeName: escaped(signer.san), extensions: { issuer: signer.issuer } },
    );
    return undefined;
  } catch (error) {
    return (error as Error).message || 'an error without words';
  }
}

/** It reads the name as a regular expression. */
const escaped = (text: string): string => `^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
