/** A computation that can fail without throwing. Pure rooms return it; I/O rooms throw `WaybillError`. */
import { type Reason, WaybillError } from './reason.ts';

export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };
export type Result<T, E = Reason> = Ok<T> | Err<E>;

export type NonEmpty<T> = readonly [T, ...T[]];

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });
export const err = <E>(error: E): Err<E> => ({ ok: false, error });

/** The value of a result; throws `WaybillError` with the reason otherwise. For the edges, never inside verify. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new WaybillError(result.error);
}

/** Runs `body`, turning a thrown `WaybillError` into a value; every other throw is a defect and passes through. */
export function attempt<T>(body: () => T): Result<T> {
  try {
    return ok(body());
  } catch (error) {
    if (error instanceof WaybillError) return err(error.reason);
    throw error;
  }
}

export function isNonEmpty<T>(list: readonly T[]): list is NonEmpty<T> {
  return list.length > 0;
}

/** Ends a `switch` over a union: adding a member stops the build here. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
