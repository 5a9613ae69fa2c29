/** The first page: is the stack well, what ends when, how large are the logs, which images came by. */
import type { Clock } from '#base/clock';
import { rootOf } from '#flows/coverage-text';
import { type Html, html } from './html.ts';
import { imageUrl } from './image-page.ts';
import { stateBadge } from './marks.ts';
import type { ExpiryView, LogView, Overview, SeenImage, StationView } from './view.ts';
import { counted, DAY_MS, dateText, shortDigest, spanText, timeText } from './words.ts';

export const IMAGES_SHOWN_MAX = 200;
const SOON_MS = 14 * DAY_MS;

export function homePage(overview: Overview, images: readonly SeenImage[], clock: Clock): Html {
  const now = clock.now();
  return html`<h1>This stack</h1>
${summaryHtml(overview, now)}
${imagesSection(images, registryOf(overview))}
<div class="columns">
${stationsSection(overview.stations)}
${expiriesSection(overview.expiries, now)}
</div>
${logsSection(overview.logs)}`;
}

function registryOf({ stations }: Overview): string {
  const url = stations.find((station) => station.name === 'registry')?.url ?? '';
  return URL.canParse(url) ? new URL(url).host : 'REGISTRY';
}

function summaryHtml({ stations, expiries }: Overview, now: number): Html {
  const down = stations.filter((station) => !station.isUp);
  const urgent = expiries.filter((expiry) => urgencyOf(expiry, now) !== 'fine');
  const next = expiries
    .filter((expiry) => expiry.at !== undefined && !expiry.renewsItself)
    .toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0))[0];
  const health =
    down.length === 0
      ? stateBadge('verified', `All ${counted(stations.length, 'service')} answer`)
      : stateBadge(
          'refused',
          `${counted(down.length, 'service')} of ${stations.length} down: ${down.map((one) => one.title).join(', ')}`,
        );
  const ends =
    urgent.length > 0
      ? stateBadge('unproven', `${counted(urgent.length, 'thing')} ending soon or ended`)
      : stateBadge(
          'verified',
          next?.at === undefined ? 'Nothing ends' : `Nothing ends before ${dateText(next.at)}`,
        );
  return html`<p class="summary">${health}${ends}</p>`;
}

function imagesSection(images: readonly SeenImage[], registry: string): Html {
  const body =
    images.length === 0
      ? html`<div class="empty"><p>No image has been pushed to this stack yet.</p>
<p>Copy one: <code>waybill copy SOURCE ${registry}/acme/api:v1</code>, then sign it: <code>waybill sign ${registry}/acme/api@sha256:…</code>. Any other registry client does as well.</p></div>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Repository</th><th scope="col">Tags</th><th scope="col">Digest</th><th scope="col">First seen</th></tr></thead><tbody>${images
          .slice(0, IMAGES_SHOWN_MAX)
          .map(imageRow)}</tbody></table></div>`;
  return html`<section aria-labelledby="images"><h2 id="images">Images <span class="count">${images.length}</span></h2>${body}
${images.length > IMAGES_SHOWN_MAX && html`<p class="hint">The newest ${IMAGES_SHOWN_MAX} are shown; the search box finds the others by name or digest.</p>`}</section>`;
}

function imageRow(image: SeenImage): Html {
  const { repository, tags, digest, kind, firstSeen, isHere } = image;
  return html`<tr><th scope="row"><a href="${imageUrl(image)}">${repository}</a>${kind === 'index' && html` <span class="form">index</span>`}</th>
<td>${tags.length === 0 ? html`<span class="hint">${isHere ? 'no tag' : 'not in the registry now'}</span>` : tags.map((tag) => html`<span class="tag">${tag}</span> `)}</td>
<td><a href="/image/${digest}" title="${digest}"><code>${shortDigest(digest)}</code></a></td>
<td>${firstSeen === undefined ? html`<span class="hint">before records began</span>` : timeText(firstSeen)}</td></tr>
`;
}

function stationsSection(stations: readonly StationView[]): Html {
  return html`<section aria-labelledby="services"><h2 id="services">Services</h2><ul class="stations">${stations.map(
    ({ title, url, isUp }) =>
      html`<li>${stateBadge(isUp ? 'verified' : 'refused', isUp ? 'Up' : 'Down')}<span>${title}</span> <code class="path">${url}</code></li>`,
  )}</ul></section>`;
}

type Urgency = 'ended' | 'soon' | 'fine';

function urgencyOf({ at, renewsItself }: ExpiryView, now: number): Urgency {
  if (at === undefined) return 'fine';
  if (at <= now) return 'ended';
  return !renewsItself && at - now < SOON_MS ? 'soon' : 'fine';
}

function expiriesSection(expiries: readonly ExpiryView[], now: number): Html {
  return html`<section aria-labelledby="expiries"><h2 id="expiries">What ends when</h2><div class="scroll"><table><thead><tr><th scope="col">What</th><th scope="col">Ends</th><th scope="col">State</th></tr></thead><tbody>${expiries.map(
    (expiry) => expiryRow(expiry, now),
  )}</tbody></table></div></section>`;
}

function expiryRow(expiry: ExpiryView, now: number): Html {
  const { what, detail, at, renewsItself } = expiry;
  const urgency = urgencyOf(expiry, now);
  const badge = {
    ended: stateBadge('refused', 'Ended'),
    soon: stateBadge('unproven', 'Soon'),
    fine: stateBadge('verified', renewsItself ? 'Renews itself' : 'Fine'),
  }[urgency];
  const left = at === undefined ? '' : at > now ? `in ${spanText(at - now)}` : `${spanText(at - now)} ago`;
  return html`<tr><th scope="row">${what} <span class="hint line">${detail}</span></th><td>${
    at === undefined
      ? html`<span class="hint">no end</span>`
      : html`<span class="date">${dateText(at)}</span> <span class="hint line">${left}</span>`
  }</td><td>${badge}</td></tr>
`;
}

function logsSection(logs: readonly LogView[]): Html {
  return html`<section aria-labelledby="logs"><h2 id="logs">Logs</h2><ul class="coverage">${logs.map(
    ({ title, origin, size, checkpoint }) =>
      html`<li><strong>${title}</strong>: ${counted(size, 'entry', 'entries')} <span class="hint">${origin}</span>${
        checkpoint !== undefined &&
        html`<br>Root <code>${rootOf(checkpoint) ?? 'not readable'}</code> <details><summary>Signed checkpoint</summary><pre>${checkpoint}</pre></details>`
      }</li>`,
  )}</ul></section>`;
}
