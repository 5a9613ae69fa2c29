/** What is wrong with the content of a file, told with the name of the file. */
import { WaybillError } from '#base/reason';
import type { Result } from '#base/result';

export function ofFile<T>(path: string, read: Result<T>): T {
  if (read.ok) return read.value;
  throw new WaybillError({ ...read.error, actual: `${path}: ${read.error.actual}` });
}
