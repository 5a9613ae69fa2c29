/** A reading of a layer as one piece of bytes: a JSON head that says where what lies, then the bytes. */
import { concat, utf8, utf8Text } from '#base/bytes';
import type { LayerFacts } from './layer.ts';
import type { LayerReading } from './read-layers.ts';
import type { KeptFile, Problem } from './record.ts';
import { isCount, isFacts, isListOf, isObjectOf, isText, isTuple, noRecord } from './record-form.ts';

interface Head {
  readonly facts: LayerFacts;
  readonly problems: readonly Problem[];
  readonly events: number;
  /** Entry, length, and name and length of each finding. */
  readonly kept: readonly (readonly [number, number, readonly (readonly [string, number])[]])[];
}

const LENGTH_BYTES = 4;

export function packReading({ facts, record }: LayerReading): Uint8Array {
  const parts: Uint8Array[] = [record.events];
  const kept = record.kept.map((one): Head['kept'][number] => {
    parts.push(one.bytes, ...(one.findings?.values() ?? []));
    const findings = [...(one.findings ?? [])].map(([name, bytes]) => [name, bytes.length] as const);
    return [one.event, one.bytes.length, findings];
  });
  const head: Head = { facts, problems: record.problems, events: record.events.length, kept };
  const text = utf8(JSON.stringify(head));
  const length = new Uint8Array(LENGTH_BYTES);
  new DataView(length.buffer).setUint32(0, text.length);
  return concat(length, text, ...parts);
}

const isHead = (value: unknown): value is Head =>
  isObjectOf({
    facts: isFacts,
    problems: isListOf(isObjectOf({ event: isCount, wantedBy: isText, reason: isText })),
    events: isCount,
    kept: isListOf(isTuple(isCount, isCount, isListOf(isTuple(isText, isCount)))),
  })(value);

/** Throws for bytes that are no reading by their form; the entries are looked at when they are laid on a tree. */
export function unpackReading(packed: Uint8Array): LayerReading {
  // Parts of a Buffer are slower to make, and there are thousands.
  const bytes = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const head: unknown = JSON.parse(utf8Text(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length)));
  if (!isHead(head)) throw noRecord();
  let at = LENGTH_BYTES + length;
  const take = (count: number): Uint8Array => {
    at += count;
    if (at > bytes.length) throw noRecord();
    return bytes.subarray(at - count, at);
  };
  const events = take(head.events);
  const kept = head.kept.map(([event, size, findings]): KeptFile => {
    const body = take(size);
    if (findings.length === 0) return { event, bytes: body };
    return { event, bytes: body, findings: new Map(findings.map(([name, count]) => [name, take(count)])) };
  });
  if (at !== bytes.length) throw noRecord();
  return { facts: head.facts, record: { events, kept, problems: head.problems } };
}
