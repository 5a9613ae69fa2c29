/** A stream of bytes that proves itself: it ends normally only if size and digest were as promised. */
import { toHex } from '#base/bytes';
import { hasher } from '#base/crypto';
import { digestAlgorithm } from '#base/digest';
import { fail } from '#base/reason';
import { R } from '#formats/oci-reasons';
import type { Content } from './source.ts';

/**
 * Passes `body` on and stops it at the first byte too many. Throws WB-188 on a wrong size or digest, before
 * the consumer sees the end.
 */
export async function* verified(
  body: AsyncIterable<Uint8Array>,
  content: Content,
  from: string,
): AsyncIterable<Uint8Array> {
  const algorithm = digestAlgorithm(content.digest);
  const state = hasher(algorithm);
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > content.size) {
      throw fail(R.content, {
        expected: `${content.size} bytes of ${content.digest} from ${from}`,
        actual: 'more bytes',
      });
    }
    state.update(chunk);
    yield chunk;
  }
  if (length !== content.size) {
    throw fail(R.content, {
      expected: `${content.size} bytes of ${content.digest} from ${from}`,
      actual: `${length} bytes`,
    });
  }
  const actual = `${algorithm}:${toHex(state.finish())}`;
  if (actual !== content.digest) {
    throw fail(R.content, { expected: `${content.digest} from ${from}`, actual });
  }
}
