/** The page of one image: the verdict in words, the chain as a picture, and the evidence behind each part. */
import { chainOf, stateWords } from './chain.ts';
import { chainSvg } from './diagram.ts';
import { cards, verdictOf } from './headline.ts';
import { breakable, type Html, html } from './html.ts';
import { logSection } from './log-section.ts';
import { stateBadge } from './marks.ts';
import type { Fact, ImageReport, Signer } from './model.ts';
import { reasonHtml } from './reason-words.ts';
import type { SeenImage } from './view.ts';
import { counted, timeText } from './words.ts';

export function imagePage(report: ImageReport): Html {
  return html`${titleOf(report)}
${verdictSection(report)}
<section aria-labelledby="chain-title">
<h2 id="chain-title">The chain</h2>
<p class="hint">From the source to the cluster. Every box leads to its evidence below.</p>
${pictureOf(report)}
</section>
${attachedSection(report)}
${logSection(report)}
${admissionSection(report)}
${legend}`;
}

function pictureOf(report: ImageReport): Html {
  const chain = chainOf(report);
  return html`${chainSvg(chain, `Chain of ${report.digest}: source, build, image, what is attached, log entries, admission`)}
${chain.more > 0 && html`<p class="hint">${counted(chain.more, 'more item')} not drawn; all are in the lists below.</p>`}`;
}

/** `acme/api:v1.4.2`, or the digest alone. */
export function nameOf(report: ImageReport): string {
  const [first] = report.places;
  if (first === undefined) return 'Image';
  const [tag] = first.tags;
  return tag === undefined ? first.repository : `${first.repository}:${tag}`;
}

function titleOf(report: ImageReport): Html {
  const { places, otherPlaces, digest } = report;
  return html`<nav aria-label="Breadcrumb" class="crumbs"><a href="/">This stack</a> <span aria-hidden="true">/</span> image</nav>
<h1 id="image">${nameOf(report)}</h1>
<p class="digest"><code>${digest}</code></p>
${places.length === 0 ? html`<p class="note">No repository of this stack holds this image (any more). What the logs know of it stays.</p>` : placesList(report)}
${otherPlaces.length > 0 && html`<p class="hint">The same image is also in ${otherPlaces.map((place, i) => html`${i > 0 && ', '}<a href="${imageUrl(place)}">${place.repository}</a>`)}. What is attached there does not count here. <a href="/image/${digest}">Show all together</a></p>`}`;
}

export const imageUrl = ({ digest, repository }: Pick<SeenImage, 'digest' | 'repository'>): string =>
  `/image/${digest}?in=${encodeURIComponent(repository)}`;

function placesList({ places }: ImageReport): Html {
  return html`<ul class="places">${places.map(
    (place) =>
      html`<li><a href="${imageUrl(place)}">${place.repository}</a>${place.tags.map((tag) => html` <span class="tag">${tag}</span>`)} <span class="hint">${seenText(place)}</span></li>`,
  )}</ul>`;
}

export function seenText({ firstSeen, isHere }: Pick<SeenImage, 'firstSeen' | 'isHere'>): string {
  const seen = firstSeen === undefined ? 'pushed before records began' : `first seen ${timeText(firstSeen)}`;
  return isHere ? seen : `${seen}, not in the registry now`;
}

function verdictSection(report: ImageReport): Html {
  const { state, title, text } = verdictOf(report);
  return html`<section class="verdict ${state}" aria-labelledby="verdict">
<h2 id="verdict">${stateBadge(state, title)}</h2>
<p>${text}</p>
${report.troubles.map(({ what, reason }) => html`<p class="trouble">Could not read ${what}. ${reasonHtml(reason)}</p>`)}
<dl class="cards">${cards(report).map(
    (card) =>
      html`<div class="card ${card.state}"><dt>${card.question}</dt><dd>${breakable(card.answer)}</dd>${card.more !== undefined && html`<dd class="hint">${breakable(card.more)}</dd>`}<dd class="state">${stateBadge(card.state, card.word)}</dd></div>`,
  )}</dl>
</section>`;
}

function attachedSection(report: ImageReport): Html {
  const { facts, places, digest } = report;
  const [here] = places;
  const target = here === undefined ? `IMAGE@${digest}` : `${here.repository}@${digest}`;
  const body =
    facts.length > 0
      ? html`<ol class="facts">${facts.map(factHtml)}</ol>`
      : html`<div class="empty"><p>Nothing is attached to this image: no signature, no SBOM, no provenance.</p>
<p>To sign it: <code>waybill sign REGISTRY/${target}</code>. To attach an SBOM: <code>waybill sbom</code>, then <code>waybill attest --type cyclonedx</code>.</p></div>`;
  return html`<section aria-labelledby="attached"><h2 id="attached">What is attached <span class="count">${facts.length}</span></h2>${body}</section>`;
}

export const signerHtml = (signer: Signer): Html =>
  html`<span class="identity">${breakable(signer.name)}</span>${signer.issuer !== undefined && html` <span class="hint">vouched for by ${breakable(signer.issuer)}</span>`}`;

function factHtml(fact: Fact): Html {
  const { naming, reason, signer, at, summary, doubt, statement } = fact;
  return html`<li class="fact ${fact.state}" id="${fact.id}">
<h3>${naming.what}${naming.form !== undefined && html` <span class="form">${naming.form}</span>`}</h3>
<p class="state">${stateBadge(fact.state, stateWords[fact.state])}</p>
${reason !== undefined && html`<p class="reason">${reasonHtml(reason)}</p>`}
${doubt !== undefined && html`<p class="reason">${doubt}</p>`}
${summary.length > 0 && html`<ul class="says">${summary.map((one) => html`<li>${breakable(one)}</li>`)}</ul>`}
<dl class="rows">
${signer !== undefined && html`<div><dt>Signed by</dt><dd>${signerHtml(signer)}</dd></div>`}
${at !== undefined && html`<div><dt>Signed at</dt><dd>${timeText(at)}, by a trusted clock</dd></div>`}
<div><dt>Found as</dt><dd>${fact.layout} <code class="path">${breakable(fact.from)}</code></dd></div>
${statement !== undefined && html`<div><dt>Type</dt><dd><code>${statement.predicateType}</code></dd></div>`}
</dl>
${evidenceHtml(fact)}
</li>`;
}

function evidenceHtml({ evidence }: Fact): Html | undefined {
  if (evidence.length === 0) return undefined;
  return html`<details><summary>Evidence: ${counted(evidence.length, 'check')} that held</summary>
<ul class="evidence">${evidence.map(
    (one) =>
      html`<li>${one.summary} <code class="code">${String(one.requirement)}</code><ul>${Object.entries(
        one.details,
      ).map(
        ([name, value]) => html`<li><span class="hint">${name}</span> <code>${value}</code></li>`,
      )}</ul></li>`,
  )}</ul></details>`;
}

function admissionSection({ admissions }: ImageReport): Html {
  const list = admissions ?? [];
  const none =
    admissions === undefined
      ? html`<p>No admission webhook reports to this stack, so nothing is known here about where the image runs. A webhook started with <code>waybill serve admission</code> judges on its own and keeps its decisions in the audit log of its cluster.</p>`
      : html`<p>No webhook has reported a decision about this image.</p>`;
  const body =
    list.length === 0
      ? html`<div class="empty">${none}</div>`
      : html`<div class="scroll"><table><thead><tr><th scope="col">Decision</th><th scope="col">When</th><th scope="col">What</th><th scope="col">Why</th></tr></thead><tbody>${list.map(
          (one) =>
            html`<tr><td>${stateBadge(one.isAllowed ? 'verified' : 'refused', one.isAllowed ? 'Admitted' : 'Denied')}</td><td>${timeText(one.at)}</td><td>${one.object}</td><td>${one.message}</td></tr>`,
        )}</tbody></table></div>`;
  return html`<section aria-labelledby="admissions"><h2 id="admissions">Admissions <span class="count">${list.length}</span></h2>${body}</section>`;
}

const legend: Html = html`<section class="legend" aria-labelledby="legend"><h2 id="legend">What the words mean</h2><dl>
<div><dt>${stateBadge('verified', 'Verified')}</dt><dd>Signature, certificate, log entry and trusted time hold, and the content is about this digest. It does not say that this signer is the one you expect: that is for your policy.</dd></div>
<div><dt>${stateBadge('refused', 'Refused')}</dt><dd>It is there and does not hold. It counts for nothing; whoever can push to the repository can put such things there.</dd></div>
<div><dt>${stateBadge('unproven', 'Not proven')}</dt><dd>It could not be judged, or what it says does not follow from who signed it.</dd></div>
<div><dt>${stateBadge('absent', 'Absent')}</dt><dd>Nothing of the kind is there, or it was left out.</dd></div>
</dl></section>`;
