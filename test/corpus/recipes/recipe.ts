/** A recipe changes a draft; its arguments come from data. */
import type { JsonObject, JsonValue } from '#formats/json';
import type { Draft } from '../draft.ts';

export type Recipe = (draft: Draft, ...args: readonly JsonValue[]) => void;
export type Recipes = Readonly<Record<string, Recipe>>;

/** Arguments are checked by those who use them: a wrong one shows as a case that fails. */
export const text = (value: JsonValue | undefined): string => {
  if (typeof value !== 'string') throw new Error(`a text is wanted, not ${JSON.stringify(value)}`);
  return value;
};
export const number = (value: JsonValue | undefined): number => {
  if (typeof value !== 'number') throw new Error(`a number is wanted, not ${JSON.stringify(value)}`);
  return value;
};
export const names = (value: JsonValue | undefined): string[] => {
  if (!Array.isArray(value)) throw new Error(`a list is wanted, not ${JSON.stringify(value)}`);
  return value.map(text);
};
export const object = (value: JsonValue | undefined): JsonObject => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`an object is wanted, not ${JSON.stringify(value)}`);
  }
  return value as JsonObject;
};
export const hex = (value: JsonValue | undefined): Uint8Array => Buffer.from(text(value), 'hex');
