/**
 * Rotation of keys while everything runs. A new generation is first published, so that verifiers know it before
 * it signs; then it takes over; then the one before ends. Each step is durable before it takes effect, so a stack
 * that was stopped in between goes on at its next start.
 */
import type { Clock } from '#base/clock';
import { fail, WaybillError } from '#base/reason';
import { Turns } from '#base/turns';
import type { Logger } from '#platform/telemetry';
import {
  amend,
  begin,
  finish,
  type Generation,
  type Generations,
  type Pending,
  type Rotatable,
  switched,
  writeGenerations,
} from './generations.ts';
import { withKeys } from './kept.ts';
import { R } from './reasons.ts';
import type { Stations } from './stations.ts';

/** How long a generation may still be seen signing after another took over: certificates live ten minutes. */
const GRACE_MS: Readonly<Record<Rotatable, number>> = {
  ca: 10 * 60_000,
  ct: 60_000,
  tsa: 60_000,
  log: 0,
  log2: 0,
};

export interface RotationRequest {
  readonly station: Rotatable;
  /** Milliseconds between publishing the new key and using it. */
  readonly overlapMs: number;
  /**
   * Milliseconds since the epoch: from then on the old key is not believed. Only without overlap. Before the start of
   * the old generation: nothing it signed is believed; generations before it, whose keys are others, keep their times.
   */
  readonly stolenSince?: number;
}

export interface RotationDeps {
  readonly dataDir: string;
  readonly stations: Stations;
  readonly generations: Generations;
  readonly clock: Clock;
  readonly log: Logger;
  /** Throws when what clients would be told by `generations` could not be read by them. */
  check(generations: Generations): void;
  /** Makes what clients are told fit `generations`. */
  publish(generations: Generations): Promise<void>;
}

export interface RotationStep extends Pending {
  /** The generation that is new. */
  readonly number: number;
  /** The one before, with the time it is believed for: none when its end lies before its start. */
  readonly before: Pick<Generation, 'number' | 'start' | 'end'>;
  /** Why a step that was due is not done: what was done before stays, and it is tried again and again. */
  readonly unfinished?: string;
}

export class Rotation {
  readonly #deps: RotationDeps;
  #generations: Generations;
  /** One change after the other. */
  readonly #turns = new Turns();

  constructor(deps: RotationDeps) {
    this.#deps = deps;
    this.#generations = deps.generations;
  }

  get generations(): Generations {
    return this.#generations;
  }

  /** Begins a rotation. Throws WB-1208 when one of this station is under way, or the times do not fit. */
  rotate(request: RotationRequest): Promise<RotationStep> {
    return this.#turns.run(() => this.#begin(request));
  }

  /** Takes the next step of a rotation under way without waiting for its time. Throws WB-1208 when there is none. */
  hasten(station: Rotatable): Promise<RotationStep> {
    return this.#turns.run(() => this.#hasten(station));
  }

  /** Does what is due. Called at the start and again and again. */
  step(): Promise<void> {
    return this.#turns.run(() => this.#step());
  }

  settled(): Promise<void> {
    return this.#turns.settled();
  }

  async #begin({ station, overlapMs, stolenSince }: RotationRequest): Promise<RotationStep> {
    const { clock, stations } = this.#deps;
    const now = clock.now();
    requireTimes({ overlapMs, stolenSince, now });
    const switchAt = now + overlapMs;
    const endAt = station === 'log' || station === 'log2' ? switchAt + overlapMs : switchAt;
    // Logs tell time in whole seconds.
    const start = Math.floor(now / 1000) * 1000;
    let next = begin(this.#generations, station, start, { switchAt, endAt });
    const [before, made] = next.stations[station].slice(-2) as [Generation, Generation];
    if (stolenSince !== undefined) {
      const end = Math.max(stolenSince - 1000, before.start - 1);
      next = amend(next, station, before.number, { end });
    }
    this.#deps.check(next);
    await stations.add(station, made);
    next = withOrigins(next, station, stations);
    next = withKeys(next, (name, number) => stations.keysOf(name, number));
    await this.#keep(next);
    this.#deps.log.info({ station, generation: made.number, switchAt, endAt }, 'rotation begun');
    const unfinished = await this.#tried(() => this.#step());
    const pending = this.#generations.pending.find((one) => one.station === station);
    const hasSwitched = pending?.hasSwitched ?? switchAt <= now;
    return { station, ...this.#newest(station), switchAt, endAt, hasSwitched, ...unfinished };
  }

  async #hasten(station: Rotatable): Promise<RotationStep> {
    const pending = this.#generations.pending.find((one) => one.station === station);
    if (pending === undefined) {
      throw fail(R.rotation, { expected: `a rotation of ${station} under way`, actual: 'none' });
    }
    const now = this.#deps.clock.now();
    if (pending.hasSwitched || pending.endAt === pending.switchAt) {
      if (!pending.hasSwitched) await this.#switch(station);
      const unfinished = await this.#tried(() => this.#end(station, now));
      return { ...pending, ...this.#newest(station), hasSwitched: true, endAt: now, ...unfinished };
    }
    await this.#switch(station);
    return { ...pending, ...this.#newest(station), hasSwitched: true, switchAt: now };
  }

  /** A rotation that has begun goes on whatever its next step meets: that is told, not thrown. */
  async #tried(step: () => Promise<void>): Promise<Pick<RotationStep, 'unfinished'>> {
    try {
      await step();
      return {};
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      this.#deps.log.error({ err: error }, 'a step of a rotation failed and is tried again');
      return { unfinished: error.message };
    }
  }

  #newest(station: Rotatable): Pick<RotationStep, 'number' | 'before'> {
    const [{ number, start, end }, made] = this.#generations.stations[station].slice(-2) as [
      Generation,
      Generation,
    ];
    return { number: made.number, before: { number, start, ...(end === undefined ? {} : { end }) } };
  }

  async #step(): Promise<void> {
    const now = this.#deps.clock.now();
    for (const { station, switchAt, endAt, hasSwitched } of this.#generations.pending) {
      if (!hasSwitched && now >= switchAt) await this.#switch(station);
      if (now >= endAt) await this.#end(station, now);
    }
  }

  async #switch(station: Rotatable): Promise<void> {
    const next = switched(this.#generations, station);
    await this.#deps.stations.switch(station, next);
    await this.#keep(next);
    this.#deps.log.info({ station }, 'the new generation signs');
  }

  async #end(station: Rotatable, now: number): Promise<void> {
    if (station === 'ct' || station === 'log' || station === 'log2') {
      await this.#deps.stations.freezeBefore(station);
    }
    await this.#keep(finish(this.#generations, station, now + GRACE_MS[station]));
    this.#deps.log.info({ station }, 'the generation before has ended');
  }

  /** Durable first, then what clients see. */
  async #keep(next: Generations): Promise<void> {
    await writeGenerations(this.#deps.dataDir, next);
    this.#generations = next;
    await this.#deps.publish(next);
  }
}

function requireTimes({
  overlapMs,
  stolenSince,
  now,
}: {
  readonly overlapMs: number;
  readonly stolenSince: number | undefined;
  readonly now: number;
}): void {
  if (stolenSince === undefined) return;
  if (overlapMs !== 0) {
    throw fail(R.rotation, { expected: 'no overlap with a stolen key', actual: `${overlapMs} ms` });
  }
  if (stolenSince > now) {
    const actual = new Date(stolenSince).toISOString();
    throw fail(R.rotation, { expected: 'a time in the past for the theft', actual });
  }
}

/** Logs are found by their address: each generation keeps its own. */
export function withOrigins(all: Generations, station: Rotatable, stations: Stations): Generations {
  const { cts, logs, logs2 } = stations.changing;
  if (station !== 'ct' && station !== 'log' && station !== 'log2') return all;
  const shards = { ct: cts, log: logs, log2: logs2 }[station].all;
  return shards.reduce((next, { number, origin }) => amend(next, station, number, { origin }), all);
}
