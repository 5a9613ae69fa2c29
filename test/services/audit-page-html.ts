/** Reads pages strictly: tags nest, attributes are quoted, nothing runs, and no text became markup. */
import assert from 'node:assert/strict';

const voids = new Set(['meta', 'link', 'input', 'br', 'wbr', 'img']);
const token = /<!--.*?-->|<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z:-]+(?:="[^"<>]*")?)*)\s*(\/?)>/gs;

export interface ReadPage {
  readonly ids: readonly string[];
  readonly hrefs: readonly string[];
  /** Names of all elements. */
  readonly elements: ReadonlySet<string>;
  /** Text without markup, references resolved. */
  readonly text: string;
}

export function readPage(html: string): ReadPage {
  assert.match(html, /^<!doctype html>\n<html lang="en">/);
  const open: string[] = [];
  const ids: string[] = [];
  const hrefs: string[] = [];
  const elements = new Set<string>();
  const body = html.replace(/^<!doctype html>/, '');
  for (const [whole, slash, name = '', attributes = '', selfClosed] of body.matchAll(token)) {
    if (slash === '/') {
      assert.equal(open.pop(), name, `…${whole} closes something else`);
      continue;
    }
    elements.add(name);
    for (const [, key, value = ''] of attributes.matchAll(/([A-Za-z:-]+)="([^"]*)"/g)) {
      assert.doesNotMatch(key ?? '', /^(?:on|style$)/, `${name} ${key}`);
      if (key === 'id') ids.push(value);
      if (key === 'href') hrefs.push(plain(value));
    }
    if (selfClosed !== '/' && !voids.has(name)) open.push(name);
  }
  assert.deepEqual(open, [], 'every element is closed');
  const text = body.replaceAll('<wbr>', '').replace(token, ' ');
  assert.doesNotMatch(text, /[<>]/, 'no angle bracket outside of markup');
  assert.doesNotMatch(text.replace(/&(?:amp|lt|gt|quot|#39);/g, ''), /&/, 'every ampersand is a reference');
  return { ids, hrefs, elements, text: plain(text).replace(/\s+/g, ' ') };
}

const plain = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

/** Everything a page promises, whatever it shows. */
export function assertSound(html: string): ReadPage {
  const page = readPage(html);
  for (const name of ['script', 'style', 'iframe', 'object', 'img', 'base']) {
    assert.ok(!page.elements.has(name), `no ${name}`);
  }
  assert.equal(new Set(page.ids).size, page.ids.length, 'ids are unique');
  for (const href of page.hrefs) {
    assert.match(href, /^[/#]/, `${href} stays here`);
    if (href.startsWith('#')) assert.ok(page.ids.includes(href.slice(1)), `${href} leads somewhere`);
  }
  // Control, bidirectional and other invisible characters are shown by their code point.
  assert.doesNotMatch(html, /[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/u);
  return page;
}
