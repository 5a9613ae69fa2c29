/** `attestors:` of a verifyImages entry or of an attestation: sets, counts, nesting, keys, keyless. */
import type { Pem } from '#base/brand';
import { publicKeyFromPem } from '#base/crypto';
import { isNonEmpty } from '#base/result';
import { fulcioExtensions } from '#formats/x509';
import { regexpProgram } from '../condition/functions-text.ts';
import { type Fields, required, type YamlNode } from '../document.ts';
import { hasWildcard } from '../image/wildcard.ts';
import type { AttestationDemand, Authority, Demand, IdentityPattern, TextPattern } from '../ir.ts';
import { evidenceDemand } from '../question.ts';
import { R } from '../reasons.ts';

const entryKinds = ['keys', 'certificates', 'keyless', 'attestor'] as const;
const PEM_BLOCK = /-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g;

/** All sets must pass. `attestation` is carried to every leaf. */
export function readAttestors(node: YamlNode, path: string, attestation?: AttestationDemand): Demand {
  const sets = node.items().map((item, i) => readSet(item, `${path}.attestors[${i}]`, attestation));
  if (!isNonEmpty(sets)) throw node.refusal(R.empty, 'at least one set of attestors', 'an empty list');
  return sets.length === 1
    ? sets[0]
    : { kind: 'threshold', need: sets.length, of: sets, path: `${path}.attestors` };
}

function readSet(node: YamlNode, path: string, attestation?: AttestationDemand): Demand {
  const fields = node.fields(['count', 'entries']);
  const entries = required(node, fields, 'entries');
  // Several keys in one entry count one by one.
  const demands = entries.items().flatMap((item, i) => readEntry(item, `${path}.entries[${i}]`, attestation));
  if (!isNonEmpty(demands)) throw entries.refusal(R.empty, 'at least one entry', 'an empty list');
  const need = fields.get('count')?.integer(1, demands.length) ?? demands.length;
  return { kind: 'threshold', need, of: demands, path };
}

function readEntry(node: YamlNode, path: string, attestation?: AttestationDemand): Demand[] {
  const fields = node.fields([...entryKinds, 'annotations', 'repository', 'signatureAlgorithm']);
  const kinds = entryKinds.filter((kind) => fields.has(kind));
  const kind = kinds[0];
  if (kind === undefined || kinds.length > 1) {
    const actual = kinds.length === 0 ? 'none' : kinds.join(' and ');
    throw node.refusal(R.value, `exactly one of ${entryKinds.join(', ')}`, actual);
  }
  refuse(fields, ['repository', 'certificates'], 'keys, keyless or a nested attestor in the own repository');
  checkAlgorithm(fields);
  const annotations = fields.get('annotations')?.stringMap() ?? {};
  const body = fields.get(kind) as YamlNode;
  if (kind === 'attestor') {
    if (fields.has('annotations')) {
      throw node.refusal(R.unsupported, 'annotations on the entries of a nested attestor', 'on the attestor');
    }
    return [readSet(body, `${path}.attestor`, attestation)];
  }
  const authorities: Authority[] =
    kind === 'keyless' ? [readKeyless(body, annotations)] : readKeys(body, annotations);
  return authorities.map((authority) =>
    evidenceDemand(body, {
      path: `${path}.${kind}`,
      name: '',
      authority,
      ...(attestation === undefined ? {} : { attestation }),
    }),
  );
}

function refuse(fields: Fields, names: readonly string[], expected: string): void {
  for (const name of names) {
    const found = fields.get(name);
    if (found !== undefined) throw found.refusal(R.unsupported, expected, name);
  }
}

function checkAlgorithm(fields: Fields): void {
  const algorithm = fields.get('signatureAlgorithm');
  if (algorithm === undefined || algorithm.text() === 'sha256') return;
  throw algorithm.refusal(R.unsupported, 'signatureAlgorithm sha256', JSON.stringify(algorithm.text()));
}

function readKeys(node: YamlNode, annotations: Record<string, string>): Authority[] {
  const fields = node.fields(['publicKeys', 'signatureAlgorithm', 'kms', 'secret', 'rekor', 'ctlog']);
  refuse(fields, ['kms', 'secret'], 'public keys as PEM in publicKeys');
  checkAlgorithm(fields);
  const keys = required(node, fields, 'publicKeys');
  const text = keys.nonEmptyText();
  if (text.startsWith('k8s://')) throw keys.refusal(R.unsupported, 'public keys as PEM', text);
  const blocks = text.match(PEM_BLOCK) ?? [];
  if (blocks.length === 0 || text.replace(PEM_BLOCK, '').trim() !== '') {
    throw keys.refusal(R.value, 'PEM blocks of public keys and nothing else', 'other text');
  }
  const { tlog } = readLogs(fields);
  return blocks.map((pem) => {
    const key = publicKeyFromPem(pem);
    if (!key.ok) throw keys.refusal(R.value, key.error.expected, key.error.actual);
    return { kind: 'key', publicKey: `${pem}\n` as Pem, annotations, tlog };
  });
}

const keylessFields = [
  'issuer',
  'issuerRegExp',
  'subject',
  'subjectRegExp',
  'roots',
  'additionalExtensions',
  'rekor',
  'ctlog',
];

function readKeyless(node: YamlNode, annotations: Record<string, string>): Authority {
  const fields = node.fields(keylessFields);
  refuse(fields, ['roots'], 'certificate authorities in the trusted root (--trusted-root)');
  if (!fields.has('rekor')) {
    throw node.refusal(R.rekor, 'a rekor block with a url, or roots', 'neither');
  }
  const identity: IdentityPattern = {
    issuer: readPattern(node, fields, 'issuer'),
    subject: readPattern(node, fields, 'subject'),
  };
  const logs = readLogs(fields);
  return {
    kind: 'keyless',
    identities: [identity],
    extensions: readExtensions(fields.get('additionalExtensions')),
    annotations,
    tlog: logs.tlog,
    sct: logs.sct,
    signedTimestamp: 'optional',
  };
}

/** `issuer` or `issuerRegExp`, never both: Kyverno joins one pair with OR and the other with AND. */
function readPattern(node: YamlNode, fields: Fields, name: 'issuer' | 'subject'): TextPattern {
  const plain = fields.get(name);
  const regexp = fields.get(`${name}RegExp`);
  if (plain !== undefined && regexp !== undefined) {
    throw regexp.refusal(R.value, `one of ${name} and ${name}RegExp`, 'both');
  }
  if (regexp !== undefined) {
    const text = regexp.nonEmptyText();
    if (regexpProgram(text) === undefined) {
      throw regexp.refusal(R.expression, 'an RE2 regular expression', JSON.stringify(text));
    }
    return { kind: 'regexp', text };
  }
  const text = plain?.text() ?? '';
  if (text === '' || /^\*+$/.test(text)) {
    throw (plain ?? node).refusal(R.identity, `${name} or ${name}RegExp`, text === '' ? 'neither' : text);
  }
  return { kind: hasWildcard(text) ? 'wildcard' : 'exact', text };
}

/** Where the log entry and the certificate promise are checked. Keys of the logs come from the trusted root. */
function readLogs(fields: Fields): { tlog: 'required' | 'ignored'; sct: 'required' | 'ignored' } {
  const rekor = fields.get('rekor');
  const rekorFields = rekor?.fields(['url', 'pubkey', 'ignoreTlog']) ?? new Map<string, YamlNode>();
  refuse(rekorFields, ['pubkey'], 'log keys in the trusted root (--trusted-root)');
  const ignoresTlog = rekorFields.get('ignoreTlog')?.flag() ?? false;
  if (rekor !== undefined && !ignoresTlog) required(rekor, rekorFields, 'url').nonEmptyText();
  const ctlog = fields.get('ctlog')?.fields(['ignoreSCT', 'pubkey', 'tsaCertChain']) ?? new Map();
  refuse(ctlog, ['pubkey', 'tsaCertChain'], 'keys and chains in the trusted root (--trusted-root)');
  const ignoresSct = (ctlog as Fields).get('ignoreSCT')?.flag() ?? false;
  return { tlog: ignoresTlog ? 'ignored' : 'required', sct: ignoresSct ? 'ignored' : 'required' };
}

const extensionNames: ReadonlySet<string> = new Set(
  fulcioExtensions.flatMap(({ oid, claim }) => [oid, claim]),
);

function readExtensions(node: YamlNode | undefined): Record<string, string> {
  if (node === undefined) return {};
  node.fields([...extensionNames]);
  return node.stringMap();
}
