/**
 * The walk: named steps with their time, refusals with their reason, one line each. It knows nothing about
 * waybill; a step is any function that throws when it does not hold.
 */
export interface StepRecord {
  readonly name: string;
  readonly kind: 'step' | 'refusal';
  readonly passed: boolean;
  readonly milliseconds: number;
  /** What was seen, in one line. */
  readonly detail: string;
  /** For a refusal: what differs from the accepted twin. */
  readonly change?: string;
}

export class Walk {
  readonly records: StepRecord[] = [];
  readonly skipped: string[] = [];
  readonly #isTerminal: boolean;
  readonly #started = performance.now();

  constructor(isTerminal = process.stdout.isTTY === true) {
    this.#isTerminal = isTerminal;
  }

  heading(text: string): void {
    console.log(`\n${this.#isTerminal ? `\u001b[1m${text}\u001b[0m` : text}`);
  }

  note(text: string): void {
    console.log(`      ${text}`);
  }

  /** Runs one step; its value is handed on, its failure ends what depends on it. */
  async step<T>(name: string, body: () => Promise<{ detail: string; value: T }>): Promise<T> {
    return this.#run(name, 'step', undefined, body);
  }

  /**
   * A refusal: `body` must find the named reason. `change` is the one thing that differs from the accepted
   * twin, which another step has shown.
   */
  async refusal(name: string, change: string, body: () => Promise<string>): Promise<void> {
    try {
      await this.#run(name, 'refusal', change, async () => ({ detail: await body(), value: undefined }));
    } catch {
      // Recorded as failed; the walk goes on, because refusals do not build on each other.
    }
  }

  leaveOut(name: string, why: string): void {
    this.skipped.push(`${name}: ${why}`);
    console.log(`   –  ${name} — left out: ${why}`);
  }

  async #run<T>(
    name: string,
    kind: StepRecord['kind'],
    change: string | undefined,
    body: () => Promise<{ detail: string; value: T }>,
  ): Promise<T> {
    const started = performance.now();
    if (this.#isTerminal) process.stdout.write(`  …   ${name}\r`);
    let passed = false;
    let detail = '';
    try {
      const result = await body();
      passed = true;
      detail = result.detail;
      return result.value;
    } catch (error) {
      detail = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      const milliseconds = Math.round(performance.now() - started);
      this.records.push({
        name,
        kind,
        passed,
        milliseconds,
        detail,
        ...(change === undefined ? {} : { change }),
      });
      this.#print(name, kind, passed, milliseconds, detail, change);
    }
  }

  #print(
    name: string,
    kind: StepRecord['kind'],
    passed: boolean,
    milliseconds: number,
    detail: string,
    change: string | undefined,
  ): void {
    const mark = passed ? 'ok' : 'FAIL';
    const number = String(this.records.length).padStart(2);
    const title = kind === 'refusal' ? `refused: ${name}` : name;
    console.log(`${number} ${mark.padEnd(4)}${title}  (${(milliseconds / 1000).toFixed(2)} s)`);
    if (change !== undefined) console.log(`      change: ${change}`);
    for (const line of detail.split('\n')) if (line !== '') console.log(`      ${line}`);
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000;
  }

  get counts(): { readonly passed: number; readonly failed: number } {
    const passed = this.records.filter((record) => record.passed).length;
    return { passed, failed: this.records.length - passed };
  }
}
