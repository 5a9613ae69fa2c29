/**
 * Text of others on a terminal: names, annotations and answers of servers must not move the cursor, recolour
 * or reorder what we say, nor hide a letter in it. Characters of control and of format (direction, no width) and
 * separators of lines are written out; tab and newline stay.
 */
const unsafe = (): RegExp => /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Where nothing is to be written out, the tables of Unicode need not be built. */
const printable = /^[\t\n\x20-\x7e]*$/;

export function plainText(text: string): string {
  return printable.test(text) ? text : text.replace(unsafe(), escaped);
}

/** As `plainText`, in one line. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n');
}

/** A text of these lines: what others wrote in one of them begins no other. */
export const plainLines = (lines: readonly string[]): string => lines.map(plainLine).join('\n');

const escaped = (char: string): string => {
  const hex = (char.codePointAt(0) ?? 0).toString(16).padStart(4, '0');
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex}`;
};
