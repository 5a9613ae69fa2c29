/** JSON and the documents of Sigstore. */
import assert from 'node:assert/strict';
import { fromBase64, utf8, utf8Text } from '#base/bytes';
import { attempt, type Result, unwrap } from '#base/result';
import { bundleBytes, parseBundle } from '#formats/bundle';
import { envelopeJson, parseEnvelope } from '#formats/dsse';
import { parseStatement, statementBytes } from '#formats/intoto';
import { canonicalJson, isJsonObject, type JsonValue, parseJson } from '#formats/json';
import { formatCheckpoint, parseCheckpoint, parseNote } from '#formats/note';
import {
  hashedRekordV1Body,
  hashedRekordV2Body,
  logEntryV1Json,
  loggedHashes,
  parseLogEntryV1,
  parseRekorV1Body,
  parseRekorV1Request,
  parseRekorV2Body,
  parseRekorV2Request,
  rekorV1RequestJson,
} from '#formats/rekor';
import { parseSigningConfig, selectServices, signingConfigJson } from '#formats/signing-config';
import { parseTrustedRoot, trustedRootJson } from '#formats/trusted-root';
import {
  identity,
  type LegacyLayer,
  parseLegacyLayer,
  requireKeyless,
  trustMaterial,
  verifyBundle,
  verifyEntity,
} from '#verify';
import type { Target } from './engine.ts';
import { json, lines } from './mutate.ts';
import { answer, stable, unpolluted } from './promise.ts';
import { seeds, verified } from './seeds.ts';

function runJson(input: Uint8Array): string {
  const parsed = parseJson(input);
  unpolluted();
  if (!parsed.ok) return answer(parsed);
  assert.deepEqual(parsed.value, JSON.parse(utf8Text(input)), 'the value is the engine’s');
  const canonical = attempt(() => canonicalJson(parsed.value));
  if (canonical.ok) {
    const again = parseJson(canonical.value);
    assert.ok(
      again.ok && canonicalJson(again.value) === canonical.value,
      'canonical text is its own canonical text',
    );
  }
  return answer(parsed, (value) => `${Array.isArray(value)} ${typeof value} ${canonical.ok}`);
}

function runBundle(input: Uint8Array): string {
  const parsed = parseBundle(input);
  unpolluted();
  if (!parsed.ok || parsed.value.version !== '0.3') return answer(parsed, ({ version }) => version);
  const kinds = ({
    material,
    content,
    tlogEntries,
  }: {
    material: { kind: string };
    content: { kind: string };
    tlogEntries: readonly unknown[];
  }): string => `${material.kind} ${content.kind} ${tlogEntries.length}`;
  return stable(input, parseBundle, bundleBytes, kinds);
}

const trust = trustMaterial(unwrap(parseTrustedRoot(verified.trustedRoot)));
const anybody = (regexpUnanchoredUnsafe: string) => ({ regexpUnanchoredUnsafe, mayAdmitEverybody: true });
const someone = unwrap(identity({ issuer: anybody('^https://'), san: anybody('@') }));
const requirements = unwrap(requireKeyless({ identities: [someone] }));
const question = { trustedRoot: trust, requirements, now: verified.now };

/** The verifier on whatever parses: a verdict, never a defect, and accepted only with evidence of every part. */
function runVerify(input: Uint8Array): string {
  const parsed = parseBundle(input);
  if (!parsed.ok) return answer(parsed);
  const verdict = verifyBundle({
    ...question,
    artifact: fromBase64(verified.artifact),
    bundle: parsed.value,
  });
  unpolluted();
  if (verdict.outcome !== 'accepted') {
    const why = verdict.outcome === 'rejected' ? verdict.reason : verdict.cause;
    assert.equal(verdict.outcome, 'rejected', `${why.code}: ${why.actual}`);
    return answer({ ok: false, error: why });
  }
  const proven = new Set(verdict.evidence.map(({ requirement }) => requirement));
  for (const part of ['signature', 'certificate', 'tlog', 'time', 'sct', 'signer', 'subject'] as const) {
    assert.ok(proven.has(part), `accepted without evidence of ${part}`);
  }
  return `accepted ${verdict.evidence.length} ${verdict.notes.map(({ code }) => code).join()}`;
}

function runTrustedRoot(input: Uint8Array): string {
  const write = (root: Parameters<typeof trustedRootJson>[0]): Uint8Array => utf8(trustedRootJson(root));
  const said = stable(input, parseTrustedRoot, write, (root) => {
    const { tlogs, ctlogs, authorities, timestampAuthorities, unusable } = trustMaterial(root);
    return [tlogs.size, ctlogs.size, authorities.length, timestampAuthorities.length, unusable.length].join();
  });
  unpolluted();
  return said;
}

function runSigningConfig(input: Uint8Array): string {
  return stable(
    input,
    parseSigningConfig,
    (config) => utf8(signingConfigJson(config)),
    ({ rekorTlogUrls: services, rekorTlogConfig: selector }) =>
      answer(
        selectServices({ services, selector, supportedVersions: [1, 2], now: verified.now }),
        () => selector.selector,
      ),
  );
}

function runNote(input: Uint8Array): string {
  const parsed = parseNote(input);
  if (!parsed.ok) return answer(parsed);
  const { text, signatures } = parsed.value;
  const written = signatures.map(({ name, hint, signature }) => {
    const encoded = Buffer.concat([hint, signature]).toString('base64');
    return `— ${name} ${encoded}\n`;
  });
  assert.equal(`${text}\n${written.join('')}`, utf8Text(input), 'written, it is the same');
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.ok) {
    const { origin, size, rootHash, extensions } = checkpoint.value;
    assert.equal(formatCheckpoint(origin, size, rootHash, extensions), text, 'one text for each checkpoint');
  }
  return answer(checkpoint, ({ extensions }) => `${signatures.length} ${extensions.length}`);
}

/** A body stands behind a line with the kind and version its entry claims. */
function split(input: Uint8Array): { kind: string; version: string; body: Uint8Array } {
  const at = Math.max(0, input.indexOf(0x0a));
  const [kind = '', version = ''] = Buffer.from(input.subarray(0, at)).toString('latin1').split(' ');
  return { kind, version, body: input.subarray(at + 1) };
}

const spoilBody: Target['mutate'] = (input, other, random) => {
  const at = input.indexOf(0x0a) + 1;
  const head = random.chance(8) ? other.subarray(0, other.indexOf(0x0a) + 1) : input.subarray(0, at);
  const body = json(input.subarray(at), other.subarray(other.indexOf(0x0a) + 1), random);
  return Buffer.concat([head, body]);
};

function runBodyV1(input: Uint8Array): string {
  const { kind, version, body } = split(input);
  const parsed = parseRekorV1Body(kind, version, body);
  answer(loggedHashes(kind, version, body));
  if (parsed.ok && parsed.value.kind === 'hashedrekord') {
    const written = hashedRekordV1Body(parsed.value);
    assert.deepEqual(
      parseRekorV1Body(kind, version, written),
      parsed,
      'written and read again it is the same',
    );
  }
  return answer(parsed, () => `${kind} ${version}`);
}

function runBodyV2(input: Uint8Array): string {
  const { kind, version, body } = split(input);
  return stable(body, (bytes) => parseRekorV2Body(kind, version, bytes), hashedRekordV2Body);
}

const parseEntryV1 = (input: Uint8Array) => attempt(() => unwrap(parseLogEntryV1(unwrap(parseJson(input)))));

function runLogRequest(input: Uint8Array): string {
  const v2 = answer(parseRekorV2Request(input), ({ kind }) => kind);
  const v1 = stable(
    input,
    parseRekorV1Request,
    (request) => utf8(JSON.stringify(rekorV1RequestJson(request))),
    ({ kind }) => kind,
  );
  return `${v1} / ${v2}`;
}

function layerOf(value: JsonValue): LegacyLayer | undefined {
  if (!isJsonObject(value)) return undefined;
  const { mediaType, payload, annotations } = value;
  if (typeof mediaType !== 'string' || typeof payload !== 'string' || !isJsonObject(annotations))
    return undefined;
  const texts = Object.entries(annotations).filter(([, text]) => typeof text === 'string');
  return {
    mediaType,
    payload: Buffer.from(payload, 'base64'),
    annotations: Object.fromEntries(texts) as Record<string, string>,
  };
}

function runLegacy(input: Uint8Array): string {
  const parsed = parseJson(input);
  const layer = parsed.ok ? layerOf(parsed.value) : undefined;
  if (layer === undefined) return 'no layer';
  const answers = (['certificate', 'key'] as const).map((signedWith): string => {
    const entity: Result<Parameters<typeof verifyEntity>[0]['entity']> = parseLegacyLayer(layer, signedWith);
    if (!entity.ok) return answer(entity);
    const verdict = verifyEntity({
      ...question,
      artifact: fromBase64(verified.artifact),
      entity: entity.value,
    });
    if (verdict.outcome === 'accepted') return 'accepted';
    assert.equal(verdict.outcome, 'rejected', JSON.stringify(verdict));
    return verdict.outcome === 'rejected' ? verdict.reason.code : '';
  });
  unpolluted();
  return answers.join(' / ');
}

export const sigstoreTargets: readonly Target[] = [
  { name: 'json', seeds: seeds('bundle', 'statement', 'proof'), mutate: json, run: runJson },
  { name: 'bundle', seeds: seeds('bundle'), mutate: json, run: runBundle },
  { name: 'verify', seeds: seeds('bundle'), mutate: json, run: runVerify },
  {
    name: 'dsse',
    seeds: seeds('envelope'),
    mutate: json,
    run: (input) =>
      stable(
        input,
        parseEnvelope,
        (envelope) => utf8(envelopeJson(envelope)),
        ({ signatures }) => `${signatures.length}`,
      ),
  },
  {
    name: 'statement',
    seeds: seeds('statement'),
    mutate: json,
    run: (input) =>
      stable(input, parseStatement, statementBytes, ({ type, subject }) => `${type} ${subject.length}`),
  },
  { name: 'trusted-root', seeds: seeds('trustedRoot'), mutate: json, run: runTrustedRoot },
  { name: 'signing-config', seeds: seeds('signingConfig'), mutate: json, run: runSigningConfig },
  { name: 'note', seeds: seeds('note'), mutate: lines, run: runNote },
  { name: 'rekor-v1', seeds: seeds('bodyV1'), mutate: spoilBody, run: runBodyV1 },
  { name: 'rekor-v2', seeds: seeds('bodyV2'), mutate: spoilBody, run: runBodyV2 },
  {
    name: 'log-entry',
    seeds: seeds('entryV1'),
    mutate: json,
    run: (input) =>
      stable(
        input,
        parseEntryV1,
        (entry) => utf8(JSON.stringify(logEntryV1Json(entry))),
        ({ kind }) => kind,
      ),
  },
  { name: 'log-request', seeds: seeds('logRequest'), mutate: json, run: runLogRequest },
  { name: 'legacy', seeds: seeds('legacy'), mutate: json, run: runLegacy },
];
