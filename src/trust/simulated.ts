/**
 * A stack that simulates (`stack up --simulate github`) issues certificates that carry another's issuer. Its
 * authorities say so in their own names, so that its trusted root is known for what it is wherever it is taken.
 */

import { join } from 'node:path';
import { limits } from '#base/limits';
import { fail } from '#base/reason';
import { attempt, type Result, unwrap } from '#base/result';
import { type JsonReader, parseJson, reader } from '#formats/json';
import type { TrustedRoot } from '#formats/trusted-root';
import { readFileLimitedIfThere } from '#platform/files';
import { R } from './reasons.ts';

export const simulations = ['github'] as const;
export type SimulatedProvider = (typeof simulations)[number];

export interface Simulation {
  readonly provider: SimulatedProvider;
  /** Repository names that are read and written elsewhere: `ghcr.io/acme/*` → `127.0.0.1:5000/acme/*`. */
  readonly mirrors: readonly { readonly from: string; readonly to: string }[];
}

/** O of every certificate of such a stack. */
export const SIMULATED_ORGANIZATION = 'waybill SIMULATED trust domain';

export const isSimulated = (root: TrustedRoot): boolean =>
  [...root.certificateAuthorities, ...root.timestampAuthorities].some(({ chain }) =>
    chain.some(({ subjectText }) => subjectText.includes(SIMULATED_ORGANIZATION)),
  );

/** Throws WB-610: for everything whose answer others rely on. `from` says where the root lies. */
export function refuseSimulated(root: TrustedRoot, from: string): void {
  if (!isSimulated(root)) return;
  throw fail(R.simulated, { expected: 'a trusted root of a real instance', actual: `${from}, a simulation` });
}

/** The simulation a state file (`stack.json`) speaks of; undefined for any other stack. */
export function simulationIn(state: JsonReader): Simulation | undefined {
  const simulate = state.optionalChild('simulate');
  if (simulate === undefined) return undefined;
  const provider = simulations.find((name) => name === simulate.string('provider'));
  if (provider === undefined) {
    throw simulate.wrong('provider', simulations.join(', '), simulate.string('provider'));
  }
  const mirrors = simulate.children('mirrors', 64).map((rule) => ({
    from: rule.text('from'),
    to: rule.text('to'),
  }));
  return { provider, mirrors };
}

/** What the stack in `folder` simulates; undefined when it does not, or when there is none. Throws WB-604. */
export async function stackSimulation(folder: string): Promise<Simulation | undefined> {
  const path = join(folder, 'stack.json');
  const bytes = await readFileLimitedIfThere(path, limits.trustedRootBytes);
  if (bytes === undefined) return undefined;
  const read: Result<Simulation | undefined> = attempt(() =>
    simulationIn(reader(unwrap(parseJson(bytes)), path)),
  );
  if (read.ok) return read.value;
  throw fail(R.file, { expected: `${path} of this version`, actual: read.error.check });
}
