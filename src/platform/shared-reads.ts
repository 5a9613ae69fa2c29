/** Reads of the same thing at the same time are one read: for what never changes once it is there. */

type Read = (path: string) => Promise<Uint8Array | undefined>;

/**
 * Who joins a read that finds nothing reads again: it may have begun before the thing was written, and then it would
 * miss what was there when it was called.
 */
export function sharedReads(read: Read): Read {
  const underWay = new Map<string, Promise<Uint8Array | undefined>>();
  const begin: Read = (path) => {
    const own = read(path).finally(() => {
      if (underWay.get(path) === own) underWay.delete(path);
    });
    underWay.set(path, own);
    return own;
  };
  return async (path) => {
    const joined = underWay.get(path);
    if (joined === undefined) return begin(path);
    // The first of those who found nothing begins again, and the others join that one.
    return (await joined) ?? underWay.get(path) ?? begin(path);
  };
}
