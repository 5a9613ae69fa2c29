/** For the environments tests make for their child processes: where this run keeps compiled code, when it does. */
const folder = process.env['NODE_COMPILE_CACHE'];

export const compiledCode: Readonly<Record<string, string>> =
  folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
