/** One entry of `verifyImages:`. */
import { isNonEmpty, type NonEmpty } from '#base/result';
import { readConditions } from '../condition/conditions.ts';
import { type Fields, required, type YamlNode } from '../document.ts';
import type { AttestationDemand, Demand, ImageCheck, ImagePattern, Mode } from '../ir.ts';
import { R } from '../reasons.ts';
import { readAttestors } from './attestors.ts';

const known = [
  'failureAction',
  'type',
  'image',
  'key',
  'roots',
  'subject',
  'issuer',
  'additionalExtensions',
  'annotations',
  'imageReferences',
  'skipImageReferences',
  'attestors',
  'attestations',
  'repository',
  'cosignOCI11',
  'mutateDigest',
  'verifyDigest',
  'required',
  'validate',
  'imageRegistryCredentials',
  'useCache',
];
/** Deprecated scalars and what replaces each. */
const replaced: Readonly<Record<string, string>> = {
  image: 'imageReferences',
  key: 'attestors[].entries[].keys',
  roots: 'the trusted root (--trusted-root)',
  subject: 'attestors[].entries[].keyless.subject',
  issuer: 'attestors[].entries[].keyless.issuer',
  additionalExtensions: 'attestors[].entries[].keyless.additionalExtensions',
  annotations: 'attestors[].entries[].annotations',
  repository: 'signatures beside the image',
  validate: 'conditions of the attestations',
};

export function readVerifyImages(node: YamlNode, path: string, defaultMode: Mode): ImageCheck {
  const fields = node.fields(known);
  for (const [name, instead] of Object.entries(replaced)) {
    const found = fields.get(name);
    if (found !== undefined) throw found.refusal(R.unsupported, instead, name);
  }
  checkType(fields);
  const mode = readMode(fields.get('failureAction')) ?? defaultMode;
  const mutateDigest = fields.get('mutateDigest')?.flag() ?? true;
  if (mode === 'audit' && mutateDigest) {
    const at = fields.get('mutateDigest') ?? fields.get('failureAction') ?? node;
    throw at.refusal(R.auditMutate, 'mutateDigest: false with failure action Audit', 'mutateDigest: true');
  }
  checkRequired(fields.get('required'));
  return {
    path,
    mode,
    images: readPatterns(required(node, fields, 'imageReferences')),
    skipped: patternsOf(fields.get('skipImageReferences')),
    demand: readDemand(node, fields),
    mutateDigest,
    verifyDigest: fields.get('verifyDigest')?.flag() ?? true,
  };
}

/** Kyverno's default is Cosign; both layouts are read under either name. */
function checkType(fields: Fields): void {
  const type = fields.get('type');
  if (type === undefined) return;
  if (type.oneOf(['Cosign', 'SigstoreBundle', 'Notary']) === 'Notary') {
    throw type.refusal(R.unsupported, 'Cosign or SigstoreBundle', 'Notary');
  }
}

/** `required: false` would admit an image without any evidence. */
function checkRequired(node: YamlNode | undefined): void {
  if (node === undefined || node.flag()) return;
  throw node.refusal(
    R.unsupported,
    'required: true',
    'false',
    'use failureAction: Audit to watch without denying',
  );
}

export function readMode(node: YamlNode | undefined): Mode | undefined {
  if (node === undefined) return undefined;
  const action = node.oneOf(['Enforce', 'Audit', 'enforce', 'audit']);
  return action.toLowerCase() as Mode;
}

function patternsOf(node: YamlNode | undefined): ImagePattern[] {
  if (node === undefined) return [];
  return node.items().map((item) => {
    const text = item.nonEmptyText();
    if (text.includes('{{')) throw item.refusal(R.value, 'a pattern without variables', text);
    return { dialect: 'kyverno', text };
  });
}

function readPatterns(node: YamlNode): NonEmpty<ImagePattern> {
  const patterns = patternsOf(node);
  if (!isNonEmpty(patterns)) throw node.refusal(R.empty, 'at least one image pattern', 'an empty list');
  return patterns;
}

/** Signatures and every attestation: all of them. */
function readDemand(node: YamlNode, fields: Fields): Demand {
  const demands: Demand[] = [];
  const attestors = fields.get('attestors');
  if (attestors !== undefined) demands.push(readAttestors(attestors, ''));
  const attestations = fields.get('attestations');
  for (const [i, item] of attestations?.items().entries() ?? []) demands.push(readAttestation(item, i));
  if (!isNonEmpty(demands)) throw node.refusal(R.empty, 'attestors or attestations', 'neither');
  return demands.length === 1
    ? demands[0]
    : { kind: 'threshold', need: demands.length, of: demands, path: '' };
}

function readAttestation(node: YamlNode, index: number): Demand {
  const fields = node.fields(['name', 'predicateType', 'type', 'attestors', 'conditions']);
  const types = ['type', 'predicateType'].filter((name) => fields.has(name));
  if (types.length !== 1) {
    throw node.refusal(R.value, 'exactly one of type and predicateType', types.join(' and ') || 'neither');
  }
  const type = (fields.get(types[0] as string) as YamlNode).nonEmptyText();
  const conditions = fields.get('conditions');
  const attestation: AttestationDemand = {
    name: fields.get('name')?.text() ?? '',
    predicateType: type,
    quantifier: 'all',
    ...(conditions === undefined ? {} : { conditions: readConditions(conditions) }),
  };
  const attestors = fields.get('attestors');
  if (attestors === undefined) {
    throw node.refusal(R.empty, 'attestors of the attestation', 'none: anybody could have signed it');
  }
  return readAttestors(attestors, `.attestations[${index}]`, attestation);
}
