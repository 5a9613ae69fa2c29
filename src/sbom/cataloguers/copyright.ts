/** Licences of a Debian copyright file (DEP-5). Other forms are free text and are not guessed at. */
import { utf8 } from '#base/bytes';

/** A file of tens of kilobytes as one of a few lines that say the same. */
export function condensedCopyright(bytes: Uint8Array): Uint8Array {
  const names = copyrightLicenses(bytes);
  // One dot at the end is taken for punctuation, so that one of the name itself stays.
  return utf8(
    names.length === 0 ? '' : `Format: short\n${names.map((name) => `License: ${name}.\n`).join('')}`,
  );
}

/** Short names of the License fields, sorted; empty for a file that is not machine-readable. */
export function copyrightLicenses(bytes: Uint8Array | undefined): string[] {
  if (bytes === undefined) return [];
  const text = new TextDecoder().decode(bytes);
  if (!/^\s*Format(?:-Specification)?:/im.test(text.slice(0, 2000))) return [];
  const found = new Set<string>();
  for (const match of text.matchAll(/^License:[ \t]*(\S[^\n]*)$/gim)) {
    for (const name of (match[1] as string).split(/\s+(?:and|or)\s+|,\s*/i)) {
      const clean = name.trim().replace(/\.$/, '');
      if (/^[A-Za-z0-9][A-Za-z0-9.+_-]*$/.test(clean)) found.add(clean);
    }
  }
  return [...found].sort();
}
