/** Rules about what a policy covers and how it is enforced. */
import { above, flagOf, type Hit, ownerOf, type Place, type Rule, textOf } from './finding.ts';

const isImageList = (place: Place | undefined): boolean =>
  place !== undefined && ['imageReferences', 'skipImageReferences'].includes(place.key);

const imagePattern = (place: Place): string | undefined => {
  if (isImageList(place.up)) return textOf(place.node);
  return place.key === 'glob' && place.up?.up?.key === 'images' ? textOf(place.node) : undefined;
};

function catchAllHits(place: Place): Hit[] {
  const text = imagePattern(place);
  if (text === undefined || !/^\*+(?:[/:]\*+)*$/.test(text)) return [];
  const message =
    `${JSON.stringify(text)} covers every image, those of the platform too (CSI drivers, agents, sidecars), ` +
    'which others sign';
  return [{ at: place.node, message }];
}

function boundaryHits(place: Place): Hit[] {
  const text = imagePattern(place);
  if (text === undefined || !/^[^*?]*[a-z0-9]\*+$/i.test(text) || /[:@][^/]*\*$/.test(text)) return [];
  const stem = text.replace(/\*+$/, '');
  const isRegistryOnly = !stem.includes('/') && !stem.includes('.');
  if (isRegistryOnly) return [];
  return [{ at: place.node, message: `${text} also matches ${stem}-evil/x`, fix: `write ${stem}/*` }];
}

function tagHits(place: Place): Hit[] {
  const text = imagePattern(place);
  if (text === undefined || !/:[^/@]+$/.test(text.replace(/^[^/]*:\d+\//, ''))) return [];
  if (/:\*+$/.test(text) || above(place, 'skipImageReferences') !== undefined) return [];
  return [
    { at: place.node, message: `${text} never matches an image pinned by digest: the tag is dropped then` },
  ];
}

const replacedBy: Readonly<Record<string, string>> = {
  validationFailureAction: 'rules[].verifyImages[].failureAction',
  webhookTimeoutSeconds: 'spec.webhookConfiguration.timeoutSeconds',
  failurePolicy: 'spec.webhookConfiguration.failurePolicy',
  validationFailureActionOverrides: 'one rule for each failure action',
};

function deprecatedHits(place: Place): Hit[] {
  if (!(place.key in replacedBy) || place.up?.key !== 'spec') return [];
  const instead = replacedBy[place.key] as string;
  return [{ at: place.node, message: `spec.${place.key} is deprecated`, fix: `use ${instead}` }];
}

function auditHits(place: Place): Hit[] {
  if (!place.fields.has('imageReferences') || flagOf(place.fields.get('mutateDigest')) === false) return [];
  const own = place.fields.get('failureAction');
  const spec = above(place, 'spec');
  const action = own ?? spec?.fields.get('validationFailureAction');
  const text = textOf(action);
  if (text === undefined ? spec === undefined : text.toLowerCase() !== 'audit') return [];
  const why =
    text === undefined ? 'no failure action is given, which means Audit' : 'the failure action is Audit';
  const message = `${why}, and mutateDigest is true; Kyverno refuses the two together`;
  return [{ at: action ?? place.node, message }];
}

function timeoutHits(place: Place): Hit[] {
  if (place.key !== 'timeoutSeconds' && place.key !== 'webhookTimeoutSeconds') return [];
  const seconds = place.node.json();
  if (typeof seconds !== 'number' || seconds <= 10) return [];
  const message = `${seconds} s: every request of the cluster may wait this long, and webhooks add up`;
  return [{ at: place.node, message }];
}

function ignoreHits(place: Place): Hit[] {
  if (place.key !== 'failurePolicy' || textOf(place.node) !== 'Ignore') return [];
  const spec = above(place, 'spec')?.node ?? place.node;
  if (!/"(?:failureAction|validationFailureAction)":"[Ee]nforce"/.test(JSON.stringify(spec.json())))
    return [];
  return [
    { at: place.node, message: 'failurePolicy Ignore admits whenever the webhook is away, beside Enforce' },
  ];
}

function elementHits(place: Place): Hit[] {
  if (place.key !== 'key' && place.key !== 'value') return [];
  if (ownerOf(place, 'operator') === undefined || !/\belement\.predicate\b/.test(textOf(place.node) ?? ''))
    return [];
  const message = 'element.predicate is not there: the fields of the predicate are at the root';
  return [{ at: place.node, message }];
}

/** Readers of this type do not see bundles, which is what cosign 3 writes. */
function typeHits(place: Place): Hit[] {
  if (!place.fields.has('imageReferences') || !/"keyless"/.test(JSON.stringify(place.node.json()))) return [];
  const type = place.fields.get('type');
  if (type !== undefined && textOf(type) !== 'Cosign') return [];
  const message =
    'type Cosign (the default) does not see the bundles that cosign 3 attaches; waybill reads both layouts';
  return [{ at: type ?? place.node, message }];
}

export const policyRules: readonly Rule[] = [
  {
    code: 'LNT001',
    severity: 'error',
    title: 'A rule covers every image.',
    fix: 'name the registries, each with the identity that signs there',
    look: catchAllHits,
  },
  {
    code: 'LNT004',
    severity: 'error',
    title: 'An image pattern does not end at a path boundary.',
    fix: 'end the pattern with /*',
    look: boundaryHits,
  },
  {
    code: 'LNT005',
    severity: 'error',
    title: 'An image pattern with a tag does not match pinned images.',
    fix: 'leave out the tag, or end the pattern with *',
    look: tagHits,
  },
  {
    code: 'LNT008',
    severity: 'error',
    title: 'Audit together with mutateDigest.',
    fix: 'set mutateDigest: false with Audit; going to Enforce changes both fields',
    look: auditHits,
  },
  {
    code: 'LNT011',
    severity: 'warning',
    title: 'The webhook may hold requests for more than ten seconds.',
    fix: 'set at most 10; evidence attached to the image is judged without calls to logs',
    look: timeoutHits,
  },
  {
    code: 'LNT014',
    severity: 'error',
    title: 'A condition reads a path that is never there.',
    fix: 'write the path without element.predicate',
    look: elementHits,
  },
  {
    code: 'LNT016',
    severity: 'warning',
    title: 'Enforce with failurePolicy Ignore.',
    fix: 'use failurePolicy: Fail, with the own namespace excluded',
    look: ignoreHits,
  },
  {
    code: 'LNT017',
    severity: 'warning',
    title: 'A deprecated field.',
    fix: 'use the field that replaces it',
    look: deprecatedHits,
  },
  {
    code: 'LNT018',
    severity: 'warning',
    title: 'The signature type does not see what current signers write.',
    fix: 'write type: SigstoreBundle',
    look: typeHits,
  },
];
