/**
 * One key is one vote. @tufjs/models counts signatures by key id, so a role that lists one public key under two
 * ids would meet a threshold of two with one key; such metadata is refused before it is read.
 */
import { fail } from '#base/reason';
import { isJsonObject, type JsonObject, type JsonValue, own } from '#formats/json';
import { R } from './reasons.ts';

/** Throws WB-601 when a role of `metadata` (a root, or targets with delegations) lists one key under two ids. */
export function refuseSharedKeys(metadata: JsonValue, path: string): void {
  const signed = member(metadata, 'signed');
  if (signed === undefined) return;
  const top = member(signed, 'roles');
  const named = Object.entries(top ?? {});
  refuse(member(signed, 'keys'), named, path);
  const delegations = member(signed, 'delegations');
  const roles = delegations === undefined ? undefined : own(delegations, 'roles');
  if (!Array.isArray(roles)) return;
  refuse(
    member(delegations as JsonObject, 'keys'),
    roles.map((role) => [isJsonObject(role) ? String(own(role, 'name')) : '', role]),
    path,
  );
}

function member(value: JsonValue, name: string): JsonObject | undefined {
  const found = isJsonObject(value) ? own(value, name) : undefined;
  return isJsonObject(found) ? found : undefined;
}

function refuse(keys: JsonObject | undefined, roles: [string, JsonValue][], path: string): void {
  if (keys === undefined) return;
  for (const [name, role] of roles) {
    const ids = isJsonObject(role) ? own(role, 'keyids') : undefined;
    if (!Array.isArray(ids)) continue;
    const seen = new Map<string, string>();
    for (const id of ids) {
      if (typeof id !== 'string') continue;
      const material = materialOf(keys, id);
      if (material === undefined) continue;
      const before = seen.get(material);
      if (before !== undefined && before !== id) {
        const actual = `${before} and ${id} are one key`;
        throw fail(R.tuf, { expected: `different keys for the role ${name} in ${path}`, actual });
      }
      seen.set(material, id);
    }
  }
}

/** The public key as text; line ends of PEM make no other key. */
function materialOf(keys: JsonObject, id: string): string | undefined {
  const key = member(keys, id);
  const value = key === undefined ? undefined : member(key, 'keyval');
  const text = value === undefined ? undefined : own(value, 'public');
  return typeof text === 'string' ? text.replace(/\s/g, '') : undefined;
}
