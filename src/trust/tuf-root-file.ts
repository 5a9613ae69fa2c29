/**
 * A TUF root as somebody handed it over: a file that is none is that file's fault, and known before any mirror is
 * asked, so that no mirror is blamed for it.
 */
import { limits } from '#base/limits';
import { fail, WaybillError } from '#base/reason';
import { type JsonObject, parseJson, reader } from '#formats/json';
import { readFileLimited } from '#platform/files';
import { R } from './reasons.ts';

/** Reads a TUF root. Throws WB-614 naming the file when it cannot be read or is none, else as `requireTufRoot`. */
export async function readRootFile(path: string): Promise<Uint8Array> {
  const bytes = await readFileLimited(path, limits.tufMetadataBytes).catch((error: unknown) => {
    if (!(error instanceof WaybillError)) throw error;
    throw fail(R.rootFile, { expected: `a TUF root in ${path}`, actual: error.reason.actual }, error);
  });
  await requireTufRoot(bytes, path);
  return bytes;
}

/**
 * Throws WB-614 when `bytes` are no TUF root, and WB-601 when it is not signed by the keys it names itself. `from`:
 * the file or address for people.
 */
export async function requireTufRoot(bytes: Uint8Array, from: string): Promise<void> {
  const expected = `a TUF root in ${from}`;
  const json = parseJson(bytes, { maxBytes: limits.tufMetadataBytes });
  if (bytes.length === 0 || !json.ok) {
    const actual = bytes.length === 0 ? 'an empty file' : json.ok ? '' : json.error.actual;
    throw fail(R.rootFile, { expected, actual });
  }
  const { Metadata, MetadataKind } = await import('@tufjs/models');
  const root = attemptRoot(() => {
    const type = reader(json.value, from).child('signed').string('_type');
    if (type !== 'root') throw new Error(`TUF metadata of the role ${type}`);
    return Metadata.fromJSON(MetadataKind.Root, json.value as JsonObject as ModelJson);
  });
  if (!root.ok) throw fail(R.rootFile, { expected, actual: root.why }, root.error);
  const signed = attemptRoot(() => root.value.verifyDelegate('root', root.value));
  if (signed.ok) return;
  throw fail(
    R.tuf,
    {
      expected: `${from} to be signed by the keys it names`,
      actual: signed.why,
      hint: 'the file was changed or is incomplete: take the root again from its operator, over another channel',
    },
    signed.error,
  );
}

type ModelJson = Parameters<typeof import('@tufjs/models')['Metadata']['fromJSON']>[1];

type Attempt<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string; readonly error: unknown };

/** The library tells of a bad root with exceptions of its own. */
function attemptRoot<T>(body: () => T): Attempt<T> {
  try {
    return { ok: true, value: body() };
  } catch (error) {
    if (error instanceof WaybillError) return { ok: false, why: error.reason.actual, error };
    return { ok: false, why: error instanceof Error ? error.message : String(error), error };
  }
}
