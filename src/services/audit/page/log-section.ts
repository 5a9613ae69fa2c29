/** Log entries about an image, and how far the logs were searched. */

import { rootOf } from '#flows/coverage-text';
import { breakable, type Html, html } from './html.ts';
import { stateBadge } from './marks.ts';
import type { ImageReport, LogFact } from './model.ts';
import { sentence } from './reason-words.ts';
import { timeText } from './words.ts';

export function logSection(report: ImageReport): Html {
  const { log, isTruncated } = report;
  const body =
    log.length === 0
      ? html`<div class="empty"><p>No log entry about this image was found in what was searched.</p></div>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Entry</th><th scope="col">What was logged</th><th scope="col">By</th><th scope="col">When</th><th scope="col">Proof</th></tr></thead><tbody>${log.map(entryRow)}</tbody></table></div>`;
  return html`<section aria-labelledby="logs"><h2 id="logs">Log entries <span class="count">${log.length}</span></h2>
${body}
${isTruncated && html`<p class="note">There are more entries than one answer holds.</p>`}
${!report.isSettled && html`<p class="note">What was attached before the last start is still being read; look again in a moment.</p>`}
${coverageHtml(report)}
</section>`;
}

function entryRow(entry: LogFact): Html {
  const { naming, signer, at, reason, factIds } = entry;
  const [factId] = factIds;
  const what = html`${naming.what}${naming.form !== undefined && html` <span class="form">${naming.form}</span>`}`;
  return html`<tr id="${entry.id}"><th scope="row"><span class="index">#${entry.logIndex}</span> <span class="hint">${entry.origin}</span></th>
<td>${factId === undefined ? html`${what} <span class="hint">not attached here</span>` : html`<a href="#${factId}">${what}</a>`}</td>
<td>${signer === undefined ? 'not proven' : html`<span class="identity">${breakable(signer.name)}</span>`}</td>
<td>${at === undefined ? '' : html`${timeText(at)}${entry.timeFrom === 'certificate' && html` <span class="hint">or after</span>`}${entry.timeFrom === 'search' && html` <span class="hint">or before</span>`}`}</td>
<td>${reason === undefined ? stateBadge('verified', 'Included') : html`${stateBadge('unproven', 'Not proven')} <span class="hint">${sentence(reason)}</span> <code class="code">${reason.code}</code>`}</td></tr>
`;
}

/** "Nothing found" means something only together with this. */
function coverageHtml({ coverage, uncovered }: ImageReport): Html {
  if (coverage.length === 0) return html`<p class="note">The logs could not be searched.</p>`;
  return html`<h3>How far was searched</h3><ul class="coverage">${coverage.map(
    ({ origin, treeSize, checkpoint }) =>
      html`<li>${
        treeSize === 0
          ? html`<strong>${origin}</strong> is empty.`
          : html`Covered: entries 0…${treeSize - 1} of <strong>${origin}</strong>, checkpoint <code>${rootOf(checkpoint) ?? 'not readable'}</code>.`
      } <details><summary>Signed checkpoint</summary><pre>${checkpoint}</pre></details></li>`,
  )}${uncovered.map((log) => html`<li>Not searched: <strong>${log}</strong>, which the trusted root names.</li>`)}</ul>`;
}
