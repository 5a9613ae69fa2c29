/** YAML files of operators: strict, and a misspelt field is refused. */
import { parse } from 'yaml';
import { fail } from '#base/reason';
import { type JsonReader, type JsonValue, reader } from '#formats/json';
import { R } from './reasons.ts';

/** Throws WB-1212. `where` is for messages. */
export function yamlReader(text: string, where: string): JsonReader {
  let value: JsonValue;
  try {
    value = parse(text, { maxAliasCount: 0, uniqueKeys: true }) as JsonValue;
  } catch (error) {
    throw fail(R.settings, { expected: `${where} as YAML`, actual: (error as Error).message }, error);
  }
  return reader(value ?? {}, where, { as: R.settings });
}

export function requireKnown(json: JsonReader, known: readonly string[]): void {
  for (const key of Object.keys(json.object)) {
    if (!known.includes(key)) throw json.wrong(key, `one of ${known.join(', ')}`, key);
  }
}
