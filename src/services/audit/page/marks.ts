/** The marks of the states: each has a shape of its own, so that colour is never needed. */
import type { BoxState } from './chain.ts';
import { Html, html } from './html.ts';

const shapes: Readonly<Record<BoxState, string>> = {
  verified: '<circle cx="8" cy="8" r="7"/><path d="M4.5 8.3l2.4 2.4 4.6-5"/>',
  refused: '<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z"/><path d="M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4"/>',
  unproven: '<path d="M8 1.2L15 14.5H1z"/><path d="M8 6v4M8 12.1v.4"/>',
  absent: '<rect x="1.5" y="1.5" width="13" height="13" rx="2" stroke-dasharray="2.5 2"/><path d="M5 8h6"/>',
  plain: '<path d="M8 1.5l6 3v7l-6 3-6-3v-7zM2 4.5l6 3 6-3M8 7.5v7"/>',
};

export const stateMark = (state: BoxState): Html => new Html(`<g class="mark ${state}">${shapes[state]}</g>`);

/** Mark and word, for lists. */
export const stateBadge = (state: BoxState, word: string): Html =>
  html`<span class="badge ${state}"><svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">${stateMark(state)}</svg>${word}</span>`;
