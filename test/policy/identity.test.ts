/** Kyverno's identity table through our reader: the patterns it makes, on the certificates of the table. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { unwrap } from '#base/result';
import { pemDecode } from '#formats/pem';
import { type Certificate, readCertificate } from '#formats/x509';
import { type AdmissionRequest, matchingChecks, parsePolicies, questionsFor } from '#policy';
import type { ClaimName, Identity } from '#verify';
import { vectorRows } from './vectors.ts';

interface Row {
  readonly certificates: readonly string[];
  readonly subject: string;
  readonly subjectRegExp: string;
  readonly issuer: string;
  readonly issuerRegExp: string;
  readonly extensions: Readonly<Record<string, string>> | null;
  readonly match: boolean;
}

const folder = join(process.env['WAYBILL_SHARED'] ?? '../shared', 'vectors/kyverno/identity-certs');

function certificateOf(file: string): Certificate {
  const [block] = unwrap(pemDecode(readFileSync(join(folder, file), 'utf8'), 'CERTIFICATE'));
  return readCertificate(block.der);
}

function policyOf(row: Row): string {
  const keyless = {
    ...(row.subject === '' ? {} : { subject: row.subject }),
    ...(row.subjectRegExp === '' ? {} : { subjectRegExp: row.subjectRegExp }),
    ...(row.issuer === '' ? {} : { issuer: row.issuer }),
    ...(row.issuerRegExp === '' ? {} : { issuerRegExp: row.issuerRegExp }),
    ...(row.extensions === null ? {} : { additionalExtensions: row.extensions }),
    rekor: { url: 'https://rekor.sigstore.dev' },
  };
  const entry = { imageReferences: ['*'], failureAction: 'Enforce', attestors: [{ entries: [{ keyless }] }] };
  const rule = { name: 'r', match: { any: [{ resources: { kinds: ['Pod'] } }] }, verifyImages: [entry] };
  return JSON.stringify({
    apiVersion: 'kyverno.io/v1',
    kind: 'ClusterPolicy',
    metadata: { name: 'p' },
    spec: { rules: [rule] },
  });
}

const request: AdmissionRequest = {
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: 'pods',
  name: 'x',
  namespace: 'default',
  operation: 'CREATE',
  user: { username: '', groups: [] },
  object: {},
};

function identityOf(text: string): Identity {
  const [question] = questionsFor(matchingChecks(unwrap(parsePolicies(text)), request, 'x'));
  const signer = question?.requirements.signer;
  assert.ok(signer?.kind === 'identities');
  return signer.anyOf[0];
}

function matches(identity: Identity, certificate: Certificate): boolean {
  const claim = (name: ClaimName): string => certificate.fulcio[name] ?? '';
  return (
    identity.issuer.matches(claim('issuer')) &&
    certificate.sans.some((san) => identity.san.matches(san.value)) &&
    [...identity.claims].every(([name, matcher]) => matcher.matches(claim(name)))
  );
}

const rows = vectorRows<Row>('kyverno/identity.json');
if (rows !== undefined) {
  const names = (row: Row) => ({
    subjects: [row.subject, row.subjectRegExp].filter((text) => text !== '').length,
    issuers: [row.issuer, row.issuerRegExp].filter((text) => text !== '').length,
  });

  test('rows that name one issuer and one subject match as in Kyverno', () => {
    const judged = rows.filter((row) => names(row).subjects === 1 && names(row).issuers === 1);
    assert.ok(judged.length >= 4, `${judged.length} rows`);
    for (const row of judged) {
      // A pattern that is no RE2 matches nothing in Kyverno; here the policy is refused before it is used.
      const parsed = parsePolicies(policyOf(row));
      if (!parsed.ok) {
        assert.deepEqual([parsed.error.code, row.match], ['WB-730', false], JSON.stringify(row));
        continue;
      }
      const identity = identityOf(policyOf(row));
      const matched = row.certificates.some((file) => matches(identity, certificateOf(file)));
      assert.equal(matched, row.match, JSON.stringify(row));
    }
  });

  test('rows that leave out the issuer or the subject, or give one twice, are refused here (D2, D3)', () => {
    const refused = rows.filter((row) => names(row).subjects !== 1 || names(row).issuers !== 1);
    for (const row of refused) {
      const parsed = parsePolicies(policyOf(row));
      assert.ok(!parsed.ok, JSON.stringify(row));
      assert.match(parsed.error.code, /^WB-7(?:22|27)$/, JSON.stringify(row));
    }
  });
}
