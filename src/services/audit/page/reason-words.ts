/** Reasons for people: the sentence of the catalogue, what was expected and found, what to do; the code beside. */
import { type Reason, reasonText } from '#base/reason';
import { factsReasons } from '#facts';
import { R as flowReasons } from '#flows/reasons';
import { ociReasons } from '#oci';
import { verifyReasons } from '#verify';
import { breakable, type Html, html } from './html.ts';
import { R } from './reasons.ts';

const sentences: ReadonlyMap<string, string> = new Map(
  [verifyReasons, factsReasons, flowReasons, ociReasons, R].flatMap((table) =>
    Object.values(table).map((spec) => [spec.code, spec.summary] as const),
  ),
);

/** What is wrong, in one sentence. */
export const sentence = (why: Reason): string =>
  sentences.get(why.code) ?? `Expected ${why.expected}; found ${why.actual}.`;

export function reasonHtml(why: Reason): Html {
  const known = sentences.get(why.code);
  return html`${known !== undefined && html`${known} `}<span class="detail">Expected ${breakable(why.expected)}; found ${breakable(why.actual)}. To do: ${why.hint}.</span> <code class="code" title="${reasonText(why)}">${why.code} ${why.check}</code>`;
}
