/** Headers of packages as the databases of rpm hold them. */

/** Version 1.2-3 for s390x; it is big-endian everywhere. */
export function rpmHeader(name: string): Buffer {
  const fields = [
    [1000, name],
    [1001, '1.2'],
    [1002, '3'],
    [1022, 's390x'],
  ] as const;
  const data = Buffer.concat(fields.map(([, text]) => Buffer.from(`${text}\0`)));
  const index = fields.flatMap(([tag, text], i) => {
    const before = fields.slice(0, i).reduce((sum, [, one]) => sum + one.length + 1, 0);
    return text === '' ? [] : [tag, 6, before, 1];
  });
  const out = Buffer.alloc(8 + index.length * 4);
  for (const [i, value] of [fields.length, data.length, ...index].entries()) out.writeUInt32BE(value, i * 4);
  return Buffer.concat([out, data]);
}
