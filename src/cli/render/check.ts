/** The checklist for people and machines. */
import type { CheckedImage } from '#flows/check-image';
import type { CheckAnswer, CheckItem } from '#flows/check-item';
import { plainLines } from './plain.ts';

export const checkedJson = ({ given, pinned, digest, items }: CheckedImage, exit: number): object => ({
  ok: exit === 0,
  exit,
  given,
  image: pinned,
  digest,
  counts: Object.fromEntries(answers.map((answer) => [answer, countOf(items, answer)])),
  items,
});

const answers: readonly CheckAnswer[] = ['yes', 'no', 'unknown'];
const countOf = (items: readonly CheckItem[], answer: CheckAnswer): number =>
  items.filter((item) => item.answer === answer).length;

/** Evidence may quote an image, which may hold terminal escapes: they are shown, not obeyed. */
const printable = (text: string): string =>
  text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/g, '\ufffd');

export function renderChecked({ pinned, items }: CheckedImage): string {
  const lines = items.flatMap(({ question, answer, evidence, reason }) => [
    `${answer.padEnd(8)} ${question}`,
    ...evidence.map((text) => `           ${printable(text)}`),
    ...(reason === undefined
      ? []
      : [
          `           ${reason.code}: expected ${printable(reason.expected)}, got ${printable(reason.actual)}`,
          `           do: ${reason.hint}`,
        ]),
  ]);
  const counts = answers.map((answer) => `${countOf(items, answer)} ${answer}`).join(', ');
  return plainLines([`checked ${pinned}`, ...lines, counts]);
}
