/** Waiting for something that may change: by a knock, or by the passing of time. */

export interface Wake {
  /** Settles at the next knock, at once when one came since the last wait, or after `waitMs`. */
  wait(waitMs: number): Promise<void>;
  knock(): void;
}

export function makeWake(): Wake {
  let pending = false;
  const waiting = new Set<() => void>();
  return {
    wait: (waitMs) => {
      if (pending) {
        pending = false;
        return Promise.resolve();
      }
      return new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, waitMs);
        waiting.add(done);
      });
    },
    knock: () => {
      pending = waiting.size === 0;
      for (const done of [...waiting]) done();
    },
  };
}
