/** Which places of the sources ran since the last question, by V8's precise coverage. */
import { Session } from 'node:inspector';

export interface Place {
  /** Below the working directory. */
  readonly file: string;
  /** Offset in the source text; types are stripped to spaces, so offsets are the engine's as well. */
  readonly at: number;
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface ScriptCoverage {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

export class Coverage {
  readonly #session = new Session();
  readonly #byUrl: ReadonlyMap<string, readonly { readonly at: number; readonly index: number }[]>;

  constructor(root: string, places: readonly Place[]) {
    const indexed = places.map(({ file, at }, index) => ({ url: `${root}${file}`, at, index }));
    this.#byUrl = Map.groupBy(indexed, ({ url }) => url);
    this.#session.connect();
    this.#post('Profiler.enable');
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Indexes of the places that ran; counting starts anew. */
  take(): number[] {
    const { result } = this.#post('Profiler.takePreciseCoverage') as { result: readonly ScriptCoverage[] };
    return result.flatMap(({ url, functions }) => {
      const places = this.#byUrl.get(url.split('?')[0] as string) ?? [];
      const ranges = functions.flatMap((one) => one.ranges);
      return places.filter(({ at }) => innermost(ranges, at) > 0).map(({ index }) => index);
    });
  }

  end(): void {
    this.#post('Profiler.stopPreciseCoverage');
    this.#session.disconnect();
  }

  /** The profiler answers before `post` returns. */
  #post(method: string, parameters: object = {}): unknown {
    let answer: unknown;
    this.#session.post(method, parameters, (error, result) => {
      if (error !== null) throw error;
      answer = result;
    });
    return answer;
  }
}

/** How often the smallest range around an offset ran; a function V8 leaves out counts with what is around it. */
function innermost(ranges: readonly Range[], at: number): number {
  let best: Range | undefined;
  for (const range of ranges) {
    if (range.startOffset > at || range.endOffset <= at) continue;
    if (best === undefined || range.endOffset - range.startOffset <= best.endOffset - best.startOffset)
      best = range;
  }
  return best?.count ?? 0;
}
