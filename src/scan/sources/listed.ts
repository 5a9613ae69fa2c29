/** What a list about CVEs holds. */
export interface Listed<T> {
  /** By CVE id. */
  readonly found: ReadonlyMap<string, T>;
  /** Numbers of the lines or entries that cannot be read, from 1. */
  readonly unread: readonly number[];
}
