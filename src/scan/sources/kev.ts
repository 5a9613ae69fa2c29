/** CISA's catalogue of known exploited vulnerabilities. */
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import type { KnownExploited } from '../database/index.ts';
import type { Listed } from './listed.ts';

export function isKevCatalogue(json: JsonObject): boolean {
  const list = own(json, 'vulnerabilities');
  const [first] = Array.isArray(list) ? list : [];
  return isJsonObject(first) && typeof own(first, 'cveID') === 'string';
}

export function readKev(json: JsonObject): Listed<KnownExploited> {
  const found = new Map<string, KnownExploited>();
  const unread: number[] = [];
  for (const [at, one] of (own(json, 'vulnerabilities') as readonly JsonValue[]).entries()) {
    const entry = isJsonObject(one) ? one : {};
    const [id, dateAdded, dueDate] = [own(entry, 'cveID'), own(entry, 'dateAdded'), own(entry, 'dueDate')];
    if (
      typeof id !== 'string' ||
      !/^CVE-\d+-\d+$/.test(id) ||
      typeof dateAdded !== 'string' ||
      !isDay(dateAdded)
    ) {
      unread.push(at + 1);
      continue;
    }
    found.set(id, {
      dateAdded,
      ...(typeof dueDate === 'string' ? { dueDate } : {}),
      isRansomware: own(entry, 'knownRansomwareCampaignUse') === 'Known',
    });
  }
  return { found, unread };
}

const isDay = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text);
