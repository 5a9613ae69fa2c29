/** Namespaces the webhook leaves alone. */

/**
 * `*` and `?` are wildcards; the webhook's own namespace is always among them. Cluster-scoped objects (no
 * namespace) never are.
 */
export function excludes(
  patterns: readonly string[],
  own: string | undefined,
): (namespace: string) => boolean {
  const all = own === undefined || own === '' ? patterns : [...patterns, own];
  const expressions = all.map((pattern) => {
    const body = pattern
      .replace(/[\\^$.+()[\]{}|]/g, '\\$&')
      .replace(/\*+/g, '[^/]*')
      .replace(/\?/g, '[^/]');
    return new RegExp(`^${body}$`);
  });
  return (namespace) => namespace !== '' && expressions.some((expression) => expression.test(namespace));
}
