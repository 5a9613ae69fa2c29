/**
 * Text of others on a terminal: names, annotations and answers of servers must not move the cursor, recolour
 * or reorder what we say. Control characters and bidirectional overrides are written out; tab and newline stay.
 */
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

export function plainText(text: string): string {
  return text.replace(unsafe, escaped);
}

/** As `plainText`, in one line. */
export function plainLine(text: string): string {
  return plainText(text).replaceAll('\n', '\\n');
}

const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
