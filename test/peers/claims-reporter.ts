/** A reporter of node:test: one line of JSON for each claim of a file, with whether it held. */
import type { TestEvent } from 'node:test/reporters';

export interface Claim {
  /** Test file, without folder and ending. */
  readonly file: string;
  readonly claim: string;
  readonly held: boolean;
}

export default async function* claims(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.nesting !== 0 || data.file === undefined)
      continue;
    const file = data.file.replace(/^.*[/\\]|(?:\.test)?\.ts$/g, '');
    const claim: Claim = { file, claim: data.name, held: type === 'test:pass' };
    yield `${JSON.stringify(claim)}\n`;
  }
}
