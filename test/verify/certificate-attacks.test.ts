/** CRT and SCT: certificates, chains and stamps that must not be believed (attack corpus §2.4, §2.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKey } from '#base/crypto';
import { unwrap } from '#base/result';
import { der } from '#formats/der';
import type { Sct } from '#formats/sct';
import { parseCertificate } from '#formats/x509';
import {
  buildCertificate,
  type CertificateTemplate,
  extensionOf,
  extKeyUsage,
  POISON_OID,
} from '#formats/x509-build';
import { identity, requireKeyless, type TrustMaterial, withoutIdentityUnsafe } from '#verify';
import { issueLeaf, type LeafOptions, VirtualAuthority, VirtualCtLog } from '../double/virtual-ca.ts';
import {
  EPOCH,
  ISSUER,
  MINUTE,
  type SignOptions,
  SUBJECT,
  type VirtualStack,
  YEAR,
} from '../double/virtual-stack.ts';
import { type Attack, outcomeOf, type Setup, shown, stack, testAttacks } from './attack.ts';

const SECOND = 1000;

/** Signs with the stack and judges with its own trust. */
function signed(options: SignOptions = {}, more: Omit<Setup, 'bundle' | 'artifact'> = {}): Setup {
  const sample = stack.sign(options);
  return { bundle: sample.bytes, artifact: sample.artifact, ...more };
}

function refuse(
  id: string,
  name: string,
  code: Attack['code'],
  attack: SignOptions,
  twin: SignOptions = {},
): Attack {
  return { id, name, code, twin: () => signed(twin), attack: () => signed(attack) };
}

const leaf = (options: Partial<LeafOptions>): SignOptions => ({ leaf: options });
const altered = (alter: (template: CertificateTemplate) => CertificateTemplate): SignOptions =>
  leaf({ alter });
const adding = (...extensions: CertificateTemplate['extensions']): SignOptions =>
  altered((template) => ({ ...template, extensions: [...template.extensions, ...extensions] }));

/** Trust in an authority instead of the stack's own. */
function trustIn(authority: VirtualAuthority): TrustMaterial {
  return stack.trust({ ...stack.root, certificateAuthorities: [authority.authority()] });
}

const codeSigning = { name: 'other', validFor: stack.validFor, purpose: extKeyUsage.codeSigning };
const foreign = new VirtualAuthority(codeSigning);
const intermediate = (alterIntermediate: (template: CertificateTemplate) => CertificateTemplate) =>
  new VirtualAuthority({ ...codeSigning, alterIntermediate });

/** An authority that differs in its intermediate, judged with trust in exactly that authority. */
function refuseIntermediate(
  id: string,
  name: string,
  code: Attack['code'],
  alter: (template: CertificateTemplate) => CertificateTemplate,
): Attack {
  const authority = intermediate(alter);
  return {
    id,
    name,
    code,
    twin: () => signed({ ca: foreign }, { trust: trustIn(foreign) }),
    attack: () => signed({ ca: authority }, { trust: trustIn(authority) }),
  };
}

const without = (oid: string) => (template: CertificateTemplate) => ({
  ...template,
  extensions: template.extensions.filter((extension) => extension.oid !== oid),
});
const basicConstraints = '2.5.29.19';
const keyUsage = '2.5.29.15';

/** A leaf issued by a leaf: the classic confusion of end entity and authority. */
function leafIssuedByLeaf(): Setup {
  const issuerKey = generateKey('p256');
  const issuer = stack.issue(issuerKey, EPOCH);
  const template = (base: CertificateTemplate): CertificateTemplate => ({ ...base, issuer: issuer.subject });
  const key = generateKey('p256');
  const victim = issueLeaf(stack.ca, {
    publicKey: key.publicKey,
    notBefore: EPOCH - MINUTE,
    ctLogs: [stack.ctLog],
    claims: { issuer: ISSUER },
    alter: template,
  });
  const rebuilt = unwrap(parseCertificate(resign(victim.der, issuerKey)));
  const sample = stack.sign({
    leafKey: key,
    alter: () => ({ material: { kind: 'certificate', certificate: rebuilt } }),
  });
  return {
    bundle: sample.bytes,
    artifact: sample.artifact,
    requirements: unwrap(withoutIdentityUnsafe({ tlog: 'notRequiredUnsafe' })),
  };
}

/** The TBSCertificate of a certificate under another key's signature. */
function resign(certificate: Uint8Array, key: ReturnType<typeof generateKey>): Uint8Array {
  const parsed = unwrap(parseCertificate(certificate));
  const algorithm = der.seq(der.oid(parsed.signatureAlgorithm.oid));
  return der.seq(parsed.tbs, algorithm, der.bits(key.sign(parsed.tbs, parsed.signatureAlgorithm.hash)));
}

const otherLog = new VirtualCtLog(stack.validFor, 'second.example');
const twoCtLogs = (): TrustMaterial =>
  stack.trust({ ...stack.root, ctlogs: [stack.ctLog.authority, otherLog.authority] });
const anyone = unwrap(identity({ issuer: ISSUER, san: SUBJECT }));
const twoScts = unwrap(requireKeyless({ identities: [anyone], sct: 2 }));
const strangeLog = new VirtualCtLog(stack.validFor);
const endedLog = (end: number): TrustMaterial => {
  const { authority } = stack.ctLog;
  return stack.trust({ ...stack.root, ctlogs: [{ ...authority, validFor: { start: EPOCH - YEAR, end } }] });
};
const caEnding = (end: number): TrustMaterial => {
  const [authority] = stack.root.certificateAuthorities;
  if (authority === undefined) throw new Error('no authority');
  return stack.trust({
    ...stack.root,
    certificateAuthorities: [{ ...authority, validFor: { start: EPOCH - YEAR, end } }],
  });
};

testAttacks([
  {
    id: 'CRT-01',
    name: 'a leaf of another instance',
    code: 'WB-330',
    twin: () => signed(),
    attack: () => signed({ ca: foreign }),
  },
  {
    id: 'CRT-01',
    name: 'a leaf whose issuer only has the right name',
    code: 'WB-330',
    twin: () => signed(),
    attack: () => signed({ ca: new VirtualAuthority({ ...codeSigning, name: 'fulcio' }) }),
  },
  refuse(
    'CRT-02',
    'a certificate without any trusted time',
    'WB-320',
    { logs: [stack.rekorV2], tsas: [] },
    { logs: [stack.rekorV2] },
  ),
  refuse(
    'CRT-03',
    'a timestamp one second after the leaf',
    'WB-331',
    { stampedAt: EPOCH + 9 * MINUTE + SECOND },
    { stampedAt: EPOCH + 9 * MINUTE },
  ),
  refuse(
    'CRT-03',
    'a timestamp one second before the leaf',
    'WB-331',
    { stampedAt: EPOCH - MINUTE - SECOND },
    { stampedAt: EPOCH - MINUTE },
  ),
  refuse(
    'CRT-03',
    'a promise after the end of the leaf',
    'WB-331',
    { tsas: [], leaf: { notBefore: EPOCH - MINUTE, notAfter: EPOCH - SECOND } },
    { tsas: [], leaf: { notBefore: EPOCH - MINUTE, notAfter: EPOCH } },
  ),
  {
    id: 'CRT-04',
    name: 'an intermediate that expired before the leaf',
    code: 'WB-331',
    twin: () => signed({ ca: foreign }, { trust: trustIn(foreign) }),
    attack: () => {
      const short = intermediate((template) => ({ ...template, notAfter: EPOCH + 30 * SECOND }));
      return signed({ ca: short, stampedAt: EPOCH + MINUTE }, { trust: trustIn(short) });
    },
  },
  {
    id: 'CRT-05',
    name: 'an authority whose interval ended one second earlier',
    code: 'WB-331',
    twin: () => signed({ stampedAt: EPOCH + MINUTE }, { trust: caEnding(EPOCH + MINUTE) }),
    attack: () => signed({ stampedAt: EPOCH + MINUTE + SECOND }, { trust: caEnding(EPOCH + MINUTE) }),
  },
  {
    id: 'CRT-06',
    name: 'a leaf issued by a leaf',
    code: 'WB-330',
    twin: () => signed({}, { requirements: unwrap(withoutIdentityUnsafe({ tlog: 'notRequiredUnsafe' })) }),
    attack: leafIssuedByLeaf,
  },
  refuseIntermediate('CRT-07', 'an intermediate that is no authority', 'WB-370', without(basicConstraints)),
  refuseIntermediate('CRT-07', 'an intermediate that may not sign certificates', 'WB-370', (template) => ({
    ...without(keyUsage)(template),
    extensions: [...without(keyUsage)(template).extensions, extensionOf.keyUsage('cRLSign')],
  })),
  refuseIntermediate('CRT-08', 'an intermediate for another purpose', 'WB-370', (template) => ({
    ...template,
    extensions: template.extensions.map((extension) =>
      extension.oid === '2.5.29.37' ? extensionOf.extKeyUsage([extKeyUsage.timeStamping]) : extension,
    ),
  })),
  refuseIntermediate('CRT-17', 'an intermediate with critical name constraints', 'WB-370', (template) => ({
    ...template,
    extensions: [...template.extensions, { oid: '2.5.29.30', critical: true, value: der.seq() }],
  })),
  refuse('CRT-08', 'a leaf without purpose', 'WB-332', altered(without('2.5.29.37'))),
  refuse('CRT-08', 'a leaf for TLS servers', 'WB-332', leaf({ purposes: [extKeyUsage.serverAuth] })),
  refuse('CRT-08', 'a leaf for any purpose', 'WB-332', leaf({ purposes: [extKeyUsage.any] })),
  refuse(
    'CRT-08',
    'a leaf that may not sign',
    'WB-332',
    altered((template) => ({
      ...without(keyUsage)(template),
      extensions: [...without(keyUsage)(template).extensions, extensionOf.keyUsage('keyEncipherment')],
    })),
  ),
  refuse('CRT-06', 'a leaf that is an authority', 'WB-332', adding(extensionOf.authority())),
  refuse(
    'CRT-09',
    'an unknown critical extension',
    'WB-332',
    adding({ oid: '1.2.3.4', critical: true, value: der.nul() }),
    adding({ oid: '1.2.3.4', value: der.nul() }),
  ),
  {
    id: 'SCT-10',
    name: 'a poisoned certificate',
    code: 'WB-332',
    twin: () => signed(),
    attack: () => {
      const key = generateKey('p256');
      const good = stack.issue(key, EPOCH);
      const kept = [...good.extensions].map(([oid, { critical, value }]) => ({ oid, critical, value }));
      const extensions = [...kept, { oid: POISON_OID, critical: true, value: der.nul() }];
      const { serial, subject, issuer, notBefore, notAfter, publicKey } = good;
      const template = { serial, subject, issuer, notBefore, notAfter, publicKey, extensions };
      const certificate = unwrap(parseCertificate(buildCertificate(template, stack.ca.intermediate.key)));
      return signedAs(key, certificate);
    },
  },
  refuse('CRT-12', 'a signature with s = 0', 'WB-340', zeroed('3006020101020100'), zeroed(undefined)),
  refuse('CRT-12', 'a signature of 64 raw bytes', 'WB-340', zeroed('11'.repeat(64)), zeroed(undefined)),
  {
    id: 'CRT-18',
    name: 'the certificate of another key',
    code: 'WB-340',
    twin: () => signed(),
    attack: () => {
      const sample = stack.sign({ leafKey: generateKey('p256') });
      const stranger = stack.issue(generateKey('p256'), EPOCH);
      return signedAs(sample.key, stranger);
    },
  },
  refuse('SCT-01', 'a certificate without stamp', 'WB-335', leaf({ ctLogs: [] })),
  {
    id: 'SCT-02',
    name: 'the stamp of another certificate',
    code: 'WB-336',
    twin: () => signed(),
    attack: () => {
      const other = stack.ctLog.stamp(
        stack.issue(generateKey('p256'), EPOCH),
        stack.ca.intermediate.key.publicKey,
        EPOCH - MINUTE,
      );
      return signed(leaf({ alterScts: () => [other] }));
    },
  },
  {
    id: 'SCT-04',
    name: 'a stamp over something else than the precertificate',
    code: 'WB-336',
    twin: () => signed(),
    attack: () => {
      const { key } = stack.ctLog;
      const wrong = (scts: Sct[]): Sct[] =>
        scts.map((sct) => ({ ...sct, signature: key.sign(key.publicKey.spki, 'sha256') }));
      return signed(leaf({ alterScts: wrong }));
    },
  },
  refuse('SCT-03', 'the stamp of an unknown log', 'WB-336', leaf({ ctLogs: [strangeLog] })),
  refuse(
    'SCT-03',
    'a stamp by another key under the id of a known log',
    'WB-336',
    leaf({
      ctLogs: [strangeLog],
      alterScts: (scts) => scts.map((sct) => ({ ...sct, logId: stack.ctLog.logId })),
    }),
  ),
  {
    id: 'SCT-03',
    name: 'a stamp of a log after its interval',
    code: 'WB-337',
    twin: () => signed({}, { trust: endedLog(EPOCH - MINUTE) }),
    attack: () => signed({}, { trust: endedLog(EPOCH - MINUTE - 1) }),
  },
  {
    id: 'SCT-05',
    name: 'a stamp for another issuer key',
    code: 'WB-336',
    twin: () => signed(),
    attack: () =>
      signed(
        leaf({
          alter: (template) => template,
          alterScts: () => [
            stack.ctLog.stamp(
              stack.issue(generateKey('p256'), EPOCH),
              foreign.intermediate.key.publicKey,
              EPOCH - MINUTE,
            ),
          ],
        }),
      ),
  },
  {
    id: 'SCT-06',
    name: 'two stamps of one log for a threshold of two',
    code: 'WB-338',
    twin: () =>
      signed(leaf({ ctLogs: [stack.ctLog, otherLog] }), { trust: twoCtLogs(), requirements: twoScts }),
    attack: () =>
      signed(leaf({ ctLogs: [stack.ctLog, stack.ctLog] }), { trust: twoCtLogs(), requirements: twoScts }),
  },
  {
    id: 'SCT-06',
    name: 'stamps of two logs of one operator for a threshold of two',
    code: 'WB-338',
    twin: () =>
      signed(leaf({ ctLogs: [stack.ctLog, otherLog] }), { trust: twoCtLogs(), requirements: twoScts }),
    attack: () => {
      const sister = new VirtualCtLog(stack.validFor, 'virtual.example');
      const trust = stack.trust({ ...stack.root, ctlogs: [stack.ctLog.authority, sister.authority] });
      return signed(leaf({ ctLogs: [stack.ctLog, sister] }), { trust, requirements: twoScts });
    },
  },
  {
    id: 'SCT-06',
    name: 'stamps under two keys of one host, for which the root names no operator, for a threshold of two',
    code: 'WB-338',
    twin: () =>
      signed(leaf({ ctLogs: [stack.ctLog, otherLog] }), { trust: twoCtLogs(), requirements: twoScts }),
    attack: () => {
      const ctLogs = [new VirtualCtLog(stack.validFor), new VirtualCtLog(stack.validFor)];
      const trust = stack.trust({ ...stack.root, ctlogs: ctLogs.map(({ authority }) => authority) });
      return signed(leaf({ ctLogs }), { trust, requirements: twoScts });
    },
  },
  refuse(
    'SCT-07',
    'a stamp list that is too short',
    'WB-131',
    leaf({
      ctLogs: [],
      alter: (template) => ({
        ...template,
        extensions: [
          ...template.extensions,
          { oid: '1.3.6.1.4.1.11129.2.4.2', value: der.octets(Uint8Array.of(0, 9, 0)) },
        ],
      }),
    }),
  ),
  refuse(
    'SCT-09',
    'a stamp long before the certificate',
    'WB-337',
    leaf({ sctTime: EPOCH - 10 * MINUTE }),
    leaf({ sctTime: EPOCH - 2 * MINUTE }),
  ),
  refuse('SCT-09', 'a stamp of the future', 'WB-337', leaf({ sctTime: EPOCH + YEAR })),
  refuse(
    'IDN-12',
    'two alternative names',
    'WB-353',
    leaf({
      sans: [
        { type: 'email', value: SUBJECT },
        { type: 'uri', value: 'https://x' },
      ],
    }),
  ),
  refuse('IDN-12', 'a certificate without issuer claim', 'WB-353', leaf({ claims: {} })),
]);

/** Signs with `key` but shows `certificate`, in bundle and log alike. */
function signedAs(
  key: ReturnType<typeof generateKey>,
  certificate: ReturnType<VirtualStack['issue']>,
): Setup {
  const sample = stack.sign({ leafKey: key, certificate });
  return { bundle: sample.bytes, artifact: sample.artifact };
}

/** Replaces the signature, also in the log and under the timestamp. */
function zeroed(hex: string | undefined): SignOptions {
  return hex === undefined ? {} : { replaceSignature: Buffer.from(hex, 'hex') };
}

test('SCT-08: a stamp with extensions is accepted', () => {
  const verdict = outcomeOf(signed(leaf({ sctExtensions: Uint8Array.of(0, 0, 5, 0, 0, 0, 0, 7) })));
  assert.equal(verdict.outcome, 'accepted', shown(verdict));
});

test('SCT-11: a caller may give up stamps, and the verdict says so', () => {
  const requirements = unwrap(requireKeyless({ identities: [anyone], sct: 'notRequiredUnsafe' }));
  const verdict = outcomeOf(signed(leaf({ ctLogs: [] }), { requirements }));
  assert.ok(verdict.outcome === 'accepted', shown(verdict));
  assert.deepEqual(verdict.degraded, ['sct']);
});

test('trust material names the authorities it set aside', () => {
  const broken = intermediate(without(basicConstraints));
  const trust = trustIn(broken);
  assert.equal(trust.authorities.length, 0);
  assert.deepEqual(
    trust.unusable.map((why) => why.code),
    ['WB-371'],
  );
});

test('CRT-19: a leaf certificate as trust anchor is set aside', () => {
  const leafOnly = stack.issue(generateKey('p256'), EPOCH);
  const [authority] = stack.root.certificateAuthorities;
  assert.ok(authority !== undefined);
  const trust = stack.trust({ ...stack.root, certificateAuthorities: [{ ...authority, chain: [leafOnly] }] });
  assert.deepEqual(
    trust.unusable.map((why) => why.code),
    ['WB-371'],
  );
});
