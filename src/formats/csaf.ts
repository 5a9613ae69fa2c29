/** CSAF 2.0, as far as it is VEX: products by purl, their status per vulnerability, flags that justify. */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, own } from './json.ts';
import {
  textOf,
  timeOf,
  UNNAMED_PART,
  type VexDocument,
  type VexProduct,
  type VexStatement,
  type VexStatus,
} from './vex-model.ts';
import { R } from './vex-reasons.ts';

const objects = (json: JsonObject | undefined, key: string): readonly JsonObject[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
};
const object = (json: JsonObject | undefined, key: string): JsonObject | undefined => {
  const value = json === undefined ? undefined : own(json, key);
  return isJsonObject(value) ? value : undefined;
};
const texts = (json: JsonObject | undefined, key: string): readonly string[] => {
  const value = json === undefined ? undefined : own(json, key);
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
};

const statuses: Readonly<Record<string, VexStatus>> = {
  known_not_affected: 'not_affected',
  fixed: 'fixed',
  first_fixed: 'fixed',
  known_affected: 'affected',
  first_affected: 'affected',
  last_affected: 'affected',
  under_investigation: 'under_investigation',
};

/** Throws WB-197. */
export function readCsaf(json: JsonObject): VexDocument {
  const vulnerabilities = objects(json, 'vulnerabilities');
  if (own(json, 'vulnerabilities') !== undefined && vulnerabilities.length === 0) {
    throw fail(R.vex, { expected: 'a list of vulnerabilities', actual: 'another value' });
  }
  const products = readProducts(object(json, 'product_tree'));
  const tracking = object(object(json, 'document'), 'tracking');
  const released = textOf(tracking, 'current_release_date') ?? textOf(tracking, 'initial_release_date');
  return {
    form: 'csaf',
    id: textOf(tracking, 'id') ?? '',
    author: textOf(object(object(json, 'document'), 'publisher'), 'name') ?? '',
    statements: vulnerabilities.flatMap((one) => readVulnerability(one, products, released)),
  };
}

/** Full product names anywhere in the tree, and products that are a part of another. */
function readProducts(tree: JsonObject | undefined): ReadonlyMap<string, VexProduct> {
  const found = new Map<string, VexProduct>();
  const add = (product: JsonObject): void => {
    const id = textOf(product, 'product_id');
    if (id !== undefined) found.set(id, { ids: namesOf(product), parts: [] });
  };
  const walk = (branch: JsonObject): void => {
    const product = object(branch, 'product');
    if (product !== undefined) add(product);
    for (const one of objects(branch, 'branches')) walk(one);
  };
  if (tree !== undefined) walk(tree);
  for (const one of objects(tree, 'full_product_names')) add(one);
  for (const one of objects(tree, 'relationships')) {
    const id = textOf(object(one, 'full_product_name'), 'product_id');
    const part = found.get(textOf(one, 'product_reference') ?? '');
    const whole = found.get(textOf(one, 'relates_to_product_reference') ?? '');
    if (id === undefined || part === undefined) continue;
    // The part of an operating system is the package itself; the part of an image is named within it.
    const isNamed = whole !== undefined && whole.ids.length > 0;
    const parts = part.ids.length === 0 ? [UNNAMED_PART] : part.ids;
    found.set(id, isNamed ? { ids: whole.ids, parts } : part);
  }
  return found;
}

function namesOf(product: JsonObject): string[] {
  const helper = object(product, 'product_identification_helper');
  const hashes = objects(helper, 'hashes').flatMap((one) => objects(one, 'file_hashes'));
  const digests = hashes.map((one) => `${textOf(one, 'algorithm') ?? ''}:${textOf(one, 'value') ?? ''}`);
  return [textOf(helper, 'purl'), ...texts(helper, 'purls'), ...digests].filter((one) => one !== undefined);
}

function readVulnerability(
  one: JsonObject,
  products: ReadonlyMap<string, VexProduct>,
  released: string | undefined,
): VexStatement[] {
  const named = objects(one, 'ids').map((id) => textOf(id, 'text'));
  const ids = [textOf(one, 'cve'), ...named].filter((id) => id !== undefined);
  if (ids.length === 0) return [];
  const flags = objects(one, 'flags');
  const threats = objects(one, 'threats').filter((threat) => own(threat, 'category') === 'impact');
  const states = object(one, 'product_status');
  const aboutOf = (list: readonly JsonObject[], product: string): JsonObject | undefined =>
    list.find((entry) => texts(entry, 'product_ids').includes(product));
  return Object.entries(statuses).flatMap(([key, status]) =>
    texts(states, key).map((product): VexStatement => {
      const flag = aboutOf(flags, product);
      const justification = textOf(flag, 'label');
      const impact = textOf(aboutOf(threats, product), 'details');
      return {
        ids,
        status,
        ...(justification === undefined ? {} : { justification }),
        ...(impact === undefined ? {} : { impact }),
        // An id that the tree does not explain is a word of the document, and names nothing outside of it.
        products: [products.get(product) ?? { ids: [], parts: [] }],
        ...timeOf(textOf(flag, 'date'), released),
      };
    }),
  );
}
