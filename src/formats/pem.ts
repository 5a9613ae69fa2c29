/** PEM (RFC 7468), strictly: labelled blocks of canonical base64; text between blocks is ignored. */
import type { Der, Pem } from '#base/brand';
import { fromBase64, toBase64 } from '#base/bytes';
import { fail } from '#base/reason';
import { attempt, type Result } from '#base/result';
import { R } from './crypto-reasons.ts';

export interface PemBlock {
  readonly label: string;
  readonly der: Der;
}

/** One PEM block with lines of 64 characters and a final newline. */
export function pemEncode(label: string, der: Uint8Array): Pem {
  const text = toBase64(der);
  let body = '';
  for (let at = 0; at < text.length; at += 64) body += `${text.slice(at, at + 64)}\n`;
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n` as Pem;
}

const boundary = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 #-]*)-----[ \t]*$/;

/**
 * All blocks of a text, in order; at least one. With `label`, every block must have it. Refusals: WB-120.
 * Headers inside a block (RFC 1421 encryption) are refused.
 */
export function pemDecode(text: string, label?: string): Result<readonly [PemBlock, ...PemBlock[]]> {
  return attempt(() => {
    const [first, ...rest] = readBlocks(text);
    if (first === undefined) throw fail(R.pem, { expected: 'a PEM block', actual: 'none' });
    const foreign = label === undefined ? undefined : [first, ...rest].find((block) => block.label !== label);
    if (foreign !== undefined) {
      throw fail(R.pem, { expected: `only ${label} blocks`, actual: `a ${foreign.label} block` });
    }
    return [first, ...rest] as const;
  });
}

function readBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const mark = boundary.exec(line);
    if (mark === null) {
      if (label !== undefined) lines.push(line.trim());
      continue;
    }
    const [, kind, name = ''] = mark;
    const isInOrder = kind === 'BEGIN' ? label === undefined : label === name;
    if (!isInOrder) throw fail(R.pem, { expected: 'BEGIN and END in pairs', actual: line });
    if (kind === 'BEGIN') {
      label = name;
      lines = [];
    } else {
      blocks.push({ label: name, der: body(lines.join('')) });
      label = undefined;
    }
  }
  if (label !== undefined) throw fail(R.pem, { expected: `END ${label}`, actual: 'the end of the text' });
  return blocks;
}

function body(text: string): Der {
  const decoded = attempt(() => fromBase64(text));
  if (!decoded.ok || decoded.value.length === 0) {
    throw fail(R.pem, {
      expected: 'canonical base64 between BEGIN and END',
      actual: `${text.length} characters`,
    });
  }
  return decoded.value as Der;
}
