/** OpenVEX 0.2.0 (openvex/spec): reading and writing. */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue, own } from './json.ts';
import {
  textOf,
  timeOf,
  UNNAMED_PART,
  type VexDocument,
  type VexProduct,
  type VexStatement,
  type VexStatus,
  vexStatuses,
} from './vex-model.ts';
import { R } from './vex-reasons.ts';

const objects = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);

/** Throws WB-197. */
export function readOpenVex(json: JsonObject): VexDocument {
  const statements = own(json, 'statements');
  if (!Array.isArray(statements)) throw fail(R.vex, { expected: 'a list of statements', actual: 'none' });
  const times = [textOf(json, 'last_updated'), textOf(json, 'timestamp')];
  return {
    form: 'openvex',
    id: textOf(json, '@id') ?? '',
    author: textOf(json, 'author') ?? '',
    statements: statements.map((one, i) => readStatement(one, i, times)),
  };
}

function readStatement(
  value: JsonValue,
  at: number,
  documentTimes: readonly (string | undefined)[],
): VexStatement {
  if (!isJsonObject(value))
    throw fail(R.vex, { expected: `statements[${at}] as an object`, actual: 'another value' });
  const status = vexStatuses.find((known) => known === own(value, 'status'));
  const ids = vulnerabilityIds(own(value, 'vulnerability'));
  if (status === undefined || ids.length === 0) {
    const actual = JSON.stringify(own(value, 'status') ?? null);
    throw fail(R.vex, { expected: `statements[${at}] with a vulnerability and a status`, actual });
  }
  const justification = textOf(value, 'justification');
  const impact = textOf(value, 'impact_statement') ?? textOf(value, 'status_notes');
  if (status === 'not_affected' && justification === undefined && impact === undefined) {
    throw fail(R.vex, {
      expected: `statements[${at}] with a justification`,
      actual: 'not_affected without one',
    });
  }
  return {
    ids,
    status,
    ...(justification === undefined ? {} : { justification }),
    ...(impact === undefined ? {} : { impact }),
    products: objects(own(value, 'products')).flatMap(readProduct),
    ...timeOf(textOf(value, 'last_updated'), textOf(value, 'timestamp'), ...documentTimes),
  };
}

/** 0.0.x documents give a text, later ones an object. */
function vulnerabilityIds(value: JsonValue | undefined): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (!isJsonObject(value)) return [];
  const aliases = objects(own(value, 'aliases')).filter((one) => typeof one === 'string');
  const named = [textOf(value, 'name'), textOf(value, '@id')?.replace(/^.*\//, '')];
  return [...new Set([...named, ...aliases].filter((one) => one !== undefined))];
}

function readProduct(value: JsonValue): VexProduct[] {
  if (typeof value === 'string') return [{ ids: [value], parts: [] }];
  if (!isJsonObject(value)) return [];
  const parts = objects(own(value, 'subcomponents')).flatMap(partNames);
  return [{ ids: namesOf(value), parts }];
}

/** 0.0.x documents give a text. A part that is not named is none that is here: without it, all would be meant. */
function partNames(value: JsonValue): readonly string[] {
  if (typeof value === 'string') return [value];
  const names = isJsonObject(value) ? namesOf(value) : [];
  return names.length === 0 ? [UNNAMED_PART] : names;
}

function namesOf(value: JsonObject): string[] {
  const identifiers = own(value, 'identifiers');
  const hashes = own(value, 'hashes');
  const named = isJsonObject(identifiers) ? [textOf(identifiers, 'purl'), textOf(identifiers, 'cpe23')] : [];
  const digests = isJsonObject(hashes)
    ? Object.entries(hashes).map(([name, hex]) => `${name.toLowerCase().replace('-', '')}:${String(hex)}`)
    : [];
  return [textOf(value, '@id'), ...named, ...digests].filter((one) => one !== undefined);
}

export interface OpenVexStatement {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly status: VexStatus;
  readonly justification?: string;
  readonly impact?: string;
  readonly action?: string;
  /** purl of the image. */
  readonly product: string;
  /** purls of packages. */
  readonly parts: readonly string[];
}

/** A document that states the same as `statements`; equal input gives equal bytes. */
export function openVexJson(
  statements: readonly OpenVexStatement[],
  options: {
    readonly id: string;
    readonly author: string;
    readonly timestamp: string;
    readonly tooling: string;
  },
): JsonObject {
  return {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': options.id,
    author: options.author,
    timestamp: options.timestamp,
    version: 1,
    tooling: options.tooling,
    statements: statements.map((one) => ({
      vulnerability: { name: one.id, ...(one.aliases.length === 0 ? {} : { aliases: [...one.aliases] }) },
      products: [
        {
          '@id': one.product,
          ...(one.parts.length === 0 ? {} : { subcomponents: one.parts.map((purl) => ({ '@id': purl })) }),
        },
      ],
      status: one.status,
      ...(one.justification === undefined ? {} : { justification: one.justification }),
      ...(one.impact === undefined ? {} : { impact_statement: one.impact }),
      ...(one.action === undefined ? {} : { action_statement: one.action }),
    })),
  };
}
