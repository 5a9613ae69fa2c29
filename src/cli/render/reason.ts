/** A refusal for people: four lines, one for each question. */
import { styleText } from 'node:util';
import type { Reason } from '#base/reason';
import { plainLine } from './plain.ts';

export function renderReason(why: Reason, useColor = false): string {
  const paint = (style: 'red' | 'dim', text: string): string =>
    useColor ? styleText(style, text, { validateStream: false }) : text;
  return [
    `${paint('red', 'waybill:')} ${why.check} ${paint('dim', `(${why.code})`)}`,
    `  expected: ${plainLine(why.expected)}`,
    `  actual:   ${plainLine(why.actual)}`,
    `  do:       ${plainLine(why.hint)}`,
  ].join('\n');
}
