/** How the process of a command ends. */

/** The exit code of a fault of ours. */
export const EXIT_DEFECT = 1;

/**
 * When nothing is left to wait for, the process ends without taking itself apart first. Work that then still waits
 * for something has no answer, and must not end like one that has. Returns what says that the work has ended.
 */
export function endWithTheWork(stderr: (text: string) => void): () => void {
  let isOpen = true;
  process.once('beforeExit', () => {
    if (isOpen) {
      stderr('waybill: internal error (please report it)\nthe command ended without an answer');
      process.exitCode = EXIT_DEFECT;
    }
    // Others that wait for this moment may have something to write yet.
    if (process.listenerCount('beforeExit') === 0) process.exit();
  });
  return () => {
    isOpen = false;
  };
}
