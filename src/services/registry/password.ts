/** Passwords of people, kept as `scrypt$<log2 N>$<r>$<p>$<salt>$<key>`, the last two in base64url. */
import { equalBytes, fromBase64Url, toBase64Url } from '#base/bytes';
import { scryptKey } from '#base/crypto';
import type { Random } from '#base/random';
import type { Secret } from '#base/secret';

const LOG_N = 15;
const [R_COST, P_COST, KEY_BYTES] = [8, 1, 32];
const FORM = /^scrypt\$(1[4-9])\$8\$1\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/** For the file of grants (`waybill registry hash-password`). */
export async function hashPassword(password: Secret, random: Random): Promise<string> {
  const salt = random.bytes(16);
  const key = await derive(password, salt, LOG_N);
  return `scrypt$${LOG_N}$${R_COST}$${P_COST}$${toBase64Url(salt)}$${toBase64Url(key)}`;
}

export const isPasswordHash = (text: string): boolean => FORM.test(text);

/** Takes some 100 ms of another thread. */
export async function matchesPassword(hash: string, password: Secret): Promise<boolean> {
  const [, logN, salt = '', key = ''] = FORM.exec(hash) ?? [];
  if (logN === undefined) return false;
  return equalBytes(await derive(password, fromBase64Url(salt), Number(logN)), fromBase64Url(key));
}

function derive(password: Secret, salt: Uint8Array, logN: number): Promise<Uint8Array> {
  return scryptKey(password.reveal(), salt, { N: 2 ** logN, r: R_COST, p: P_COST }, KEY_BYTES);
}
