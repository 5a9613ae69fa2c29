/** CISA's catalogue of known exploited vulnerabilities. */
import { isJsonObject, type JsonObject, own } from '#formats/json';
import type { KnownExploited } from '../database/index.ts';

export function isKevCatalogue(json: JsonObject): boolean {
  const list = own(json, 'vulnerabilities');
  const [first] = Array.isArray(list) ? list : [];
  return isJsonObject(first) && typeof own(first, 'cveID') === 'string';
}

export function readKev(json: JsonObject): ReadonlyMap<string, KnownExploited> {
  const found = new Map<string, KnownExploited>();
  for (const one of own(json, 'vulnerabilities') as readonly JsonObject[]) {
    const id = isJsonObject(one) ? own(one, 'cveID') : undefined;
    const dateAdded = isJsonObject(one) ? own(one, 'dateAdded') : undefined;
    if (typeof id !== 'string' || typeof dateAdded !== 'string') continue;
    const dueDate = own(one, 'dueDate');
    found.set(id, {
      dateAdded,
      ...(typeof dueDate === 'string' ? { dueDate } : {}),
      isRansomware: own(one, 'knownRansomwareCampaignUse') === 'Known',
    });
  }
  return found;
}
