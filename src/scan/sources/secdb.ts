/** Alpine's, Wolfi's and Chainguard's secdb: per package, fixed versions and the ids each repairs. */
import { isJsonObject, type JsonObject, own } from '#formats/json';
import type { OsvRecord } from '#formats/osv';
import { feedEntry, feedRecord, isCve, RecordsById } from './feed-record.ts';

export const isSecdb = (json: JsonObject): boolean =>
  Array.isArray(own(json, 'packages')) &&
  (own(json, 'distroversion') !== undefined || own(json, 'apkurl') !== undefined);

function ecosystemOf(json: JsonObject): string {
  const release = own(json, 'distroversion');
  const prefix = String(own(json, 'urlprefix') ?? '');
  if (prefix.includes('wolfi')) return 'Wolfi';
  if (prefix.includes('chainguard') || prefix.includes('cgr.dev')) return 'Chainguard';
  return typeof release === 'string' ? `Alpine:${release}` : 'Alpine';
}

export function readSecdb(json: JsonObject): readonly OsvRecord[] {
  const ecosystem = ecosystemOf(json);
  const family = ecosystem.replace(/:.*$/, '').toUpperCase();
  const found = new RecordsById();
  for (const one of own(json, 'packages') as readonly JsonObject[]) {
    const pkg = isJsonObject(one) ? own(one, 'pkg') : undefined;
    const fixes = isJsonObject(pkg) ? own(pkg, 'secfixes') : undefined;
    const name = isJsonObject(pkg) ? own(pkg, 'name') : undefined;
    if (!isJsonObject(fixes) || typeof name !== 'string') continue;
    for (const [version, ids] of Object.entries(fixes)) {
      for (const id of idsOf(ids)) {
        const affected = [feedEntry(ecosystem, name, version)];
        found.add(
          feedRecord(isCve(id) ? `${family}-${id}` : id, { aliases: isCve(id) ? [id] : [], affected }),
        );
      }
    }
  }
  return found.all;
}

/** One text may name an id and its other names: `CVE-2019-1 XSA-2`. */
function idsOf(value: unknown): readonly string[] {
  const texts = Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  return texts.flatMap((text) => text.split(/[\s,]+/).filter((id) => /^[A-Z]+-/.test(id)));
}
