/**
 * Markup from strings: whatever is put into a template is escaped, unless it is markup already. Names of images,
 * identities and predicate types come from whoever pushed them.
 */

/** Text that is markup. Only `html` and `join` make it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Html | string | number | undefined | false | readonly Content[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Control, format and bidirectional characters as their code points: they could make a name look like another
 * one; stacks of
 * accents, which would spill over their neighbours, are cut. Line ends and tabs stay.
 */
export function visible(text: string): string {
  return text
    .toWellFormed()
    .replace(/(\p{M}{2})\p{M}+/gu, '$1…')
    .replace(
      /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu,
      (one) => `⟨U+${(one.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
    );
}

export const escaped = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (one) => entities[one] ?? '');

export function join(content: Content): Html {
  return new Html(textOf(content));
}

function textOf(content: Content): string {
  if (content === undefined || content === false) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string') return escaped(content);
  if (typeof content === 'number') return String(content);
  return content.map(textOf).join('');
}

/** A template of markup. Values may stand in text and in quoted attributes, nowhere else. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = parts[0] ?? '';
  for (const [i, value] of values.entries()) text += textOf(value) + (parts[i + 1] ?? '');
  return new Html(text);
}

/** Long names break after their separators, not inside words. */
export function breakable(text: string): Html {
  const parts = text.split(/(?<=[/@:?&=])(?![/@:?&=])/);
  return new Html(parts.map(escaped).join('<wbr>'));
}

export interface PageParts {
  readonly title: string;
  readonly body: Html;
  /** What stands in the search box. */
  readonly query?: string;
  /** A line above everything, for stacks nobody else may rely on. */
  readonly banner?: string;
}

/** A whole document. No script, no inline style, nothing from elsewhere: the policy of the routes forbids it. */
export function documentOf({ title, body, query, banner }: PageParts): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · waybill</title>
<link rel="stylesheet" href="/page.css">
<link rel="icon" href="/icon.svg" type="image/svg+xml">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header class="top">
<div class="bar">
<a class="brand" href="/">${mark}<span>waybill</span></a>
<form class="search" action="/search" method="get" role="search">
<label for="q">Find an image</label>
<input id="q" name="q" type="search" value="${query ?? ''}" placeholder="sha256:… or acme/api:v1.4.2" maxlength="500" autocomplete="off" spellcheck="false" required>
<button type="submit">Find</button>
</form>
</div>
${banner === undefined ? '' : html`<p class="banner"><strong>Development.</strong> ${banner}</p>`}
</header>
<main id="main" tabindex="-1">
${body}
</main>
<footer><p>Read-only. Every verdict here was computed for this view by the verifier that also decides on the command line and at admission.</p></footer>
</body>
</html>
`.text;
}

/** A tag on a string: the waybill itself. */
const mark = new Html(
  '<svg class="mark" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true" focusable="false">' +
    '<path d="M4 3h11l5 5v13H4z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>' +
    '<path d="M8 12.5l3 3 5-6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>',
);

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#1f4e8c"/><path d="M7 5h7l4 4v10H7z" fill="none" stroke="#fff" stroke-width="1.8" stroke-linejoin="round"/><path d="M9.5 13l2 2 3.5-4" fill="none" stroke="#fff" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>
`;
