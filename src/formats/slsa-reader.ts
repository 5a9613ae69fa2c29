/** Field access over one JSON object of a SLSA predicate; every refusal names the path of the field. */
import { fail, type WaybillError } from '#base/reason';
import type { JsonObject, JsonValue } from './json.ts';
import { R } from './slsa-reasons.ts';

const digestValue = /^[0-9a-f]+$/;
const timeForm = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

const kindOf = (value: JsonValue | undefined): string => {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `${typeof value} ${JSON.stringify(value).slice(0, 100)}`;
};

export class SlsaReader {
  readonly #value: JsonObject;
  readonly #path: string;

  private constructor(value: JsonObject, path: string) {
    this.#value = value;
    this.#path = path;
  }

  static over(value: JsonValue | undefined, path: string): SlsaReader {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw fail(R.slsaForm, { check: path, expected: 'an object', actual: kindOf(value) });
    }
    return new SlsaReader(value as JsonObject, path);
  }

  refuse(field: string, expected: string, actual: string): WaybillError {
    return fail(R.slsaForm, { check: this.#at(field), expected, actual });
  }

  #at(field: string): string {
    return field === '' ? this.#path : `${this.#path}.${field}`;
  }

  /** Null and absent are the same. */
  optionalValue(field: string): JsonValue | undefined {
    const value = Object.hasOwn(this.#value, field) ? this.#value[field] : undefined;
    return value === null ? undefined : value;
  }

  text(field: string): string {
    const value = this.optionalText(field);
    if (value === undefined) throw this.refuse(field, 'a text', 'nothing');
    return value;
  }

  /** The empty text is the unset text (SLSA parsing rules). */
  optionalText(field: string): string | undefined {
    const value = this.optionalValue(field);
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw this.refuse(field, 'a text', kindOf(value));
    return value;
  }

  optionalTime(field: string): string | undefined {
    const value = this.optionalText(field);
    if (value !== undefined && (!timeForm.test(value) || Number.isNaN(Date.parse(value)))) {
      throw this.refuse(field, 'an RFC 3339 time', JSON.stringify(value));
    }
    return value;
  }

  optionalFlag(field: string): boolean | undefined {
    const value = this.optionalValue(field);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.refuse(field, 'true or false', kindOf(value));
  }

  child(field: string): SlsaReader {
    return SlsaReader.over(this.optionalValue(field), this.#at(field));
  }

  optionalChild(field: string): SlsaReader | undefined {
    return this.optionalValue(field) === undefined ? undefined : this.child(field);
  }

  object(field: string): JsonObject {
    return this.child(field).#value;
  }

  optionalObject(field: string): JsonObject | undefined {
    const child = this.optionalChild(field);
    return child === undefined ? undefined : child.#value;
  }

  #list(field: string): readonly JsonValue[] | undefined {
    const value = this.optionalValue(field);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.refuse(field, 'a list', kindOf(value));
    return value as readonly JsonValue[];
  }

  optionalList<T>(field: string, read: (at: SlsaReader) => T): readonly T[] | undefined {
    return this.#list(field)?.map((value, i) => read(SlsaReader.over(value, `${this.#at(field)}[${i}]`)));
  }

  texts(field: string): readonly string[] {
    return (this.#list(field) ?? []).map((value, i) => {
      if (typeof value !== 'string') throw this.refuse(`${field}[${i}]`, 'a text', kindOf(value));
      return value;
    });
  }

  #map<T>(field: string, read: (value: JsonValue, path: string) => T): Record<string, T> | undefined {
    const value = this.optionalObject(field);
    if (value === undefined) return undefined;
    const entries = Object.entries(value);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, read(item as JsonValue, `${field}.${key}`)]),
    );
  }

  optionalTexts(field: string): Readonly<Record<string, string>> | undefined {
    return this.#map(field, (value, path) => {
      if (typeof value !== 'string') throw this.refuse(path, 'a text', kindOf(value));
      return value;
    });
  }

  optionalCounts(field: string): Readonly<Record<string, number>> | undefined {
    return this.#map(field, (value, path) => {
      const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
      if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) {
        throw this.refuse(path, 'a count', kindOf(value));
      }
      return count;
    });
  }

  /** Lower-case hex values by algorithm; an empty set is the unset set. */
  optionalDigests(field: string): Readonly<Record<string, string>> | undefined {
    const digests = this.#map(field, (value, path) => {
      if (typeof value !== 'string' || !digestValue.test(value)) {
        throw this.refuse(path, 'lower-case hex', kindOf(value));
      }
      return value;
    });
    return digests === undefined || Object.keys(digests).length === 0 ? undefined : digests;
  }
}
