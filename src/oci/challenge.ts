/** `WWW-Authenticate` (RFC 9110 §11.6.1) as registries use it: Basic and Bearer. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  /** Parameter names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const CHALLENGE_CHARS_MAX = 8192;
const part = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;

/** Every Basic or Bearer challenge in the header, in its order; unknown schemes are left out. */
export function parseChallenges(header: string): readonly Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const text = header.slice(0, CHALLENGE_CHARS_MAX);
  part.lastIndex = 0;
  for (let match = part.exec(text); match !== null; match = part.exec(text)) {
    const [, name = '', quoted, token] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token;
    // A name without a value starts the next challenge.
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else found.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return found.filter(
    (c): c is Challenge & (typeof found)[0] => c.scheme === 'basic' || c.scheme === 'bearer',
  );
}
