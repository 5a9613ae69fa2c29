/** One authority of a ClusterImagePolicy: key, keyless or static; with attestations, all of them are demanded. */
import type { Pem } from '#base/brand';
import { publicKeyFromPem } from '#base/crypto';
import { isNonEmpty, type NonEmpty } from '#base/result';
import { resolvePredicateType } from '#formats/intoto';
import { regexpProgram } from '../condition/functions-text.ts';
import { type Fields, required, type YamlNode } from '../document.ts';
import type { AttestationDemand, Authority, Demand, IdentityPattern, TextPattern } from '../ir.ts';
import { evidenceDemand } from '../question.ts';
import { R } from '../reasons.ts';
import { readProgram } from './program.ts';

const kinds = ['key', 'keyless', 'static'] as const;
const authorityFields = [
  'name',
  ...kinds,
  'source',
  'ctlog',
  'rfc3161timestamp',
  'attestations',
  'signatureFormat',
];
/** Variables of the policy of one attestation. */
const attestationVariables = ['predicate', 'predicateType', 'subject', 'image'] as const;

export function readAuthority(node: YamlNode, index: number): Demand {
  const fields = node.fields(authorityFields);
  const present = kinds.filter((kind) => fields.has(kind));
  const kind = present[0];
  if (kind === undefined || present.length > 1) {
    throw node.refusal(R.value, `exactly one of ${kinds.join(', ')}`, present.join(' and ') || 'none');
  }
  const name = fields.get('name')?.text() || `authority-${index}`;
  const path = `authorities[${index}].${kind}`;
  checkSource(fields.get('source'));
  if (kind === 'static') return readStatic(fields, name, path);
  fields.get('signatureFormat')?.oneOf(['legacy', 'bundle']);
  const authority =
    kind === 'key'
      ? readKey(fields, fields.get('key') as YamlNode)
      : readKeyless(fields, fields.get('keyless') as YamlNode);
  const attestations = fields.get('attestations');
  if (attestations === undefined) return evidenceDemand(node, { path, name, authority });
  const demands = attestations.items().map(
    (item, i): Demand =>
      evidenceDemand(item, {
        path: `authorities[${index}].attestations[${i}]`,
        name,
        authority,
        attestation: readAttestation(item),
      }),
  );
  if (!isNonEmpty(demands)) throw attestations.refusal(R.empty, 'at least one attestation', 'an empty list');
  return { kind: 'threshold', need: demands.length, of: demands, path };
}

function checkSource(node: YamlNode | undefined): void {
  const items = node?.items() ?? [];
  const first = items[0];
  if (first === undefined) return;
  if (items.length > 1) throw (node as YamlNode).refusal(R.value, 'at most one source', `${items.length}`);
  const fields = first.fields(['oci', 'tagPrefix', 'signaturePullSecrets']);
  for (const name of ['oci', 'tagPrefix', 'signaturePullSecrets']) {
    const found = fields.get(name);
    if (found !== undefined) throw found.refusal(R.unsupported, 'signatures beside the image', name);
  }
}

function readStatic(fields: Fields, name: string, path: string): Demand {
  for (const other of ['attestations', 'source', 'ctlog', 'rfc3161timestamp', 'signatureFormat']) {
    const found = fields.get(other);
    if (found !== undefined) throw found.refusal(R.value, 'a static authority alone', other);
  }
  const body = fields.get('static') as YamlNode;
  const inner = body.fields(['action', 'message']);
  const action = required(body, inner, 'action').oneOf(['pass', 'fail']);
  return { kind: 'static', pass: action === 'pass', message: inner.get('message')?.text() ?? '', name, path };
}

/** A named trust root is another set of keys; there is one trusted root here, and it is handed in. */
function refuseTrustRoot(fields: Fields): void {
  const found = fields.get('trustRootRef');
  if (found === undefined || found.text() === '') return;
  throw found.refusal(
    R.unsupported,
    'the trusted root handed in (--trusted-root)',
    `trustRootRef ${found.text()}`,
  );
}

function readLog(fields: Fields): boolean {
  const node = fields.get('ctlog');
  const inner = node?.fields(['url', 'trustRootRef']);
  if (inner !== undefined) refuseTrustRoot(inner);
  return node !== undefined;
}

function readTimestamp(fields: Fields): boolean {
  const node = fields.get('rfc3161timestamp');
  const inner = node?.fields(['trustRootRef']);
  if (inner !== undefined) refuseTrustRoot(inner);
  return node !== undefined;
}

function readKey(fields: Fields, node: YamlNode): Authority {
  const inner = node.fields(['secretRef', 'data', 'kms', 'hashAlgorithm']);
  const given = ['secretRef', 'data', 'kms'].filter((name) => inner.has(name));
  if (given.length !== 1) {
    throw node.refusal(R.value, 'exactly one of data, kms, secretRef', given.join(' and ') || 'none');
  }
  const data = inner.get('data');
  if (data === undefined) {
    throw (inner.get(given[0] as string) as YamlNode).refusal(
      R.unsupported,
      'data with a PEM',
      given[0] as string,
    );
  }
  const algorithm = inner.get('hashAlgorithm');
  if (algorithm !== undefined && algorithm.text() !== 'sha256') {
    throw algorithm.refusal(R.unsupported, 'hashAlgorithm sha256', JSON.stringify(algorithm.text()));
  }
  const pem = data.nonEmptyText();
  const key = publicKeyFromPem(pem);
  if (!key.ok) throw data.refusal(R.value, key.error.expected, key.error.actual);
  if (readTimestamp(fields)) {
    throw (fields.get('rfc3161timestamp') as YamlNode).refusal(R.unsupported, 'keyless authorities', 'a key');
  }
  // As policy-controller does: a key without a ctlog block asks for no log entry.
  return {
    kind: 'key',
    publicKey: pem as Pem,
    annotations: {},
    tlog: readLog(fields) ? 'required' : 'ignored',
  };
}

function readKeyless(fields: Fields, node: YamlNode): Authority {
  const inner = node.fields(['url', 'ca-cert', 'identities', 'trustRootRef', 'insecureIgnoreSCT']);
  refuseTrustRoot(inner);
  const authority = inner.get('ca-cert');
  if (authority !== undefined) {
    throw authority.refusal(
      R.unsupported,
      'certificate authorities in the trusted root (--trusted-root)',
      'ca-cert',
    );
  }
  inner.get('url')?.nonEmptyText();
  readLog(fields);
  const wantsTimestamp = readTimestamp(fields);
  return {
    kind: 'keyless',
    identities: readIdentities(node, inner),
    extensions: {},
    annotations: {},
    tlog: wantsTimestamp ? 'ignored' : 'required',
    sct: inner.get('insecureIgnoreSCT')?.flag() === true ? 'ignored' : 'required',
    signedTimestamp: wantsTimestamp ? 'required' : 'optional',
  };
}

function readIdentities(node: YamlNode, fields: Fields): NonEmpty<IdentityPattern> {
  const list = fields.get('identities');
  if (list === undefined) throw node.refusal(R.identity, 'identities', 'none');
  const identities = list.items().map((item): IdentityPattern => {
    const inner = item.fields(['issuer', 'issuerRegExp', 'subject', 'subjectRegExp']);
    return { issuer: readPattern(item, inner, 'issuer'), subject: readPattern(item, inner, 'subject') };
  });
  if (!isNonEmpty(identities)) throw list.refusal(R.identity, 'at least one identity', 'an empty list');
  return identities;
}

/** Exact text or an RE2 expression; a star in exact text is a star. */
function readPattern(node: YamlNode, fields: Fields, name: 'issuer' | 'subject'): TextPattern {
  const plain = fields.get(name);
  const regexp = fields.get(`${name}RegExp`);
  const text = plain?.text() ?? '';
  const expression = regexp?.text() ?? '';
  if (text === '' && expression === '') {
    throw node.refusal(R.identity, `${name} or ${name}RegExp`, 'neither');
  }
  if (text !== '' && expression !== '') {
    throw node.refusal(R.value, `one of ${name} and ${name}RegExp`, 'both');
  }
  if (text !== '') return { kind: 'exact', text };
  if (regexpProgram(expression) === undefined) {
    throw (regexp as YamlNode).refusal(R.expression, 'an RE2 regular expression', JSON.stringify(expression));
  }
  return { kind: 'regexp', text: expression };
}

function readAttestation(node: YamlNode): AttestationDemand {
  const fields = node.fields(['name', 'predicateType', 'policy']);
  const type = required(node, fields, 'predicateType');
  const resolved = resolvePredicateType(type.nonEmptyText());
  if (!resolved.ok) throw type.refusal(R.value, resolved.error.expected, resolved.error.actual);
  const policy = fields.get('policy');
  return {
    name: required(node, fields, 'name').nonEmptyText(),
    predicateType: resolved.value,
    quantifier: 'any',
    ...(policy === undefined ? {} : { program: readProgram(policy, attestationVariables) }),
  };
}
