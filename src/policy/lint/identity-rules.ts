/** Rules about whose signature counts. */
import { hasWildcard } from '../image/wildcard.ts';
import { type Hit, ownerOf, type Place, type Rule, textOf, textsOf } from './finding.ts';
import { breadthOf, regexpFaults } from './identity-text.ts';

/** Signers of images many clusters run, as their publishers document them. */
const signers: readonly { readonly images: string; readonly subject: string; readonly issuer: string }[] = [
  {
    images: 'registry.k8s.io/',
    subject: 'krel-trust@k8s-releng-prod.iam.gserviceaccount.com',
    issuer: 'https://accounts.google.com',
  },
];

const SLSA_V1 = 'https://slsa.dev/provenance/v1';
const SLSA_V02 = 'https://slsa.dev/provenance/v0.2';

/** `keyless:` of Kyverno, or one entry of `identities:` of policy-controller. */
const isIdentity = (place: Place): boolean => place.key === 'keyless' || place.up?.key === 'identities';

function identityHits(place: Place): Hit[] {
  if (!isIdentity(place) || place.fields.has('identities')) return [];
  return ['issuer', 'subject'].flatMap((name): Hit[] => {
    const plain = place.fields.get(name);
    const text = textOf(plain) ?? textOf(place.fields.get(`${name}RegExp`)) ?? '';
    if (text !== '' && !/^(?:\*+|\^?\.[*+]\$?)$/.test(text)) return [];
    const message = text === '' ? `no ${name} is given` : `${name} ${JSON.stringify(text)} is anybody`;
    return [{ at: plain ?? place.node, message: `${message}: any account of the issuer could have signed` }];
  });
}

function regexpHits(place: Place): Hit[] {
  if (place.key !== 'subjectRegExp' && place.key !== 'issuerRegExp') return [];
  return regexpFaults(textOf(place.node) ?? '').map((message) => ({ at: place.node, message }));
}

function breadthHits(place: Place): Hit[] {
  if (!['subject', 'subjectRegExp'].includes(place.key)) return [];
  const message = breadthOf(textOf(place.node) ?? '', place.key === 'subjectRegExp');
  return message === undefined ? [] : [{ at: place.node, message }];
}

function exactHits(place: Place): Hit[] {
  if (place.up?.up?.key !== 'identities' || !['subject', 'issuer'].includes(place.key)) return [];
  const text = textOf(place.node) ?? '';
  if (!hasWildcard(text)) return [];
  return [
    {
      at: place.node,
      message: `${place.key} is exact text here; ${JSON.stringify(text)} matches only itself`,
    },
  ];
}

/** A subject says who; the issuer's own address says nobody. */
function signerHits(place: Place): Hit[] {
  if (!isIdentity(place)) return [];
  const subject = place.fields.get('subject');
  const [who, issuer] = [textOf(subject), textOf(place.fields.get('issuer'))];
  if (subject === undefined || who === undefined) return [];
  const images = textsOf(ownerOf(place, 'imageReferences')?.fields.get('imageReferences'));
  const known = signers.find((signer) => images.some((image) => textOf(image)?.startsWith(signer.images)));
  if (known !== undefined && (who !== known.subject || issuer !== known.issuer)) {
    const message = `images of ${known.images} are not signed by ${who}`;
    return [{ at: subject, message, fix: `write subject: ${known.subject} and issuer: ${known.issuer}` }];
  }
  if (who !== issuer) return [];
  return [{ at: subject, message: `the subject ${who} is the issuer itself, which signs nothing` }];
}

function keylessHits(place: Place): Hit[] {
  if (place.key !== 'keyless' || place.fields.has('identities') || place.fields.has('url')) return [];
  if (place.fields.has('roots')) return [];
  const rekor = place.fields.get('rekor');
  if (rekor === undefined) {
    return [
      { at: place.node, message: 'a keyless attestor without rekor and without roots; Kyverno refuses it' },
    ];
  }
  const url = rekor.isObject() ? textOf(rekor.anyFields().get('url')) : undefined;
  return url === undefined ? [{ at: rekor, message: 'a rekor block without a url; Kyverno refuses it' }] : [];
}

/** The container generator of slsa-github-generator writes v0.2, whatever its release is called. */
function provenanceHits(place: Place): Hit[] {
  const type = place.fields.get('type') ?? place.fields.get('predicateType');
  if (textOf(type) !== SLSA_V1 || type === undefined) return [];
  const text = JSON.stringify(place.node.json());
  if (!/slsa-framework\/slsa-github-generator/.test(text)) return [];
  return [{ at: type, message: `slsa-github-generator writes ${SLSA_V02}; types are compared exactly` }];
}

function ignoredHits(place: Place): Hit[] {
  const names = ['ignoreSCT', 'ignoreTlog', 'insecureIgnoreSCT', 'insecureIgnoreTlog'];
  if (!names.includes(place.key) || place.node.json() !== true) return [];
  const isSct = place.key.endsWith('SCT');
  const what = isSct
    ? 'turns off the check that the certificate was logged; it makes nothing work offline and removes no call'
    : 'accepts signatures that no log has seen';
  return [{ at: place.node, message: `${place.key} ${what}` }];
}

export const identityRules: readonly Rule[] = [
  {
    code: 'LNT002',
    severity: 'error',
    title: 'An identity names no issuer or no subject.',
    fix: 'give issuer and subject',
    look: identityHits,
  },
  {
    code: 'LNT003',
    severity: 'warning',
    title: 'A regular expression matches more than it seems to.',
    fix: 'anchor it with ^ and $ and escape its dots',
    look: regexpHits,
  },
  {
    code: 'LNT006',
    severity: 'warning',
    title: 'A check of the transparency logs is turned off.',
    fix: 'remove the field; evidence attached to the image is verified without a call to any log',
    look: ignoredHits,
  },
  {
    code: 'LNT007',
    severity: 'warning',
    title: 'A wildcard stands in a field of exact text.',
    fix: 'use subjectRegExp or issuerRegExp with an anchored expression',
    look: exactHits,
  },
  {
    code: 'LNT012',
    severity: 'error',
    title: 'A keyless attestor has neither rekor with a url nor roots.',
    fix: 'add rekor: {url: https://rekor.sigstore.dev}',
    look: keylessHits,
  },
  {
    code: 'LNT013',
    severity: 'error',
    title: 'The provenance type is not the one the named builder writes.',
    fix: `write ${SLSA_V02}, and paths of that version in the conditions`,
    look: provenanceHits,
  },
  {
    code: 'LNT015',
    severity: 'error',
    title: 'The subject is not who signs these images.',
    fix: 'name the account that signs: a workflow URL or a service account e-mail address',
    look: signerHits,
  },
  {
    code: 'LNT019',
    severity: 'warning',
    title: 'An identity covers any workflow of a repository or of an organisation.',
    fix: 'name the workflow file and the refs: …/.github/workflows/release.yml@refs/tags/*',
    look: breadthHits,
  },
];
