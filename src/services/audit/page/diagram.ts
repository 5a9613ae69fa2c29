/**
 * Draws a chain as SVG with a layout of its own: columns from left to right where there is room, one column with
 * a trunk at its side where there is not. Coordinates are CSS pixels at the natural width. Text is cut to its
 * box by estimate, and each box clips what the estimate missed.
 */
import type { Box, BoxState, Chain, ChainRow } from './chain.ts';
import { type Html, html, visible } from './html.ts';
import { stateMark } from './marks.ts';
import { characters } from './words.ts';

interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

interface Placed extends Rect {
  readonly box: Box;
}

/** A line through points, with an arrow at its end. */
interface Arrow {
  readonly points: readonly (readonly [number, number])[];
  readonly state: BoxState;
  readonly hasHead: boolean;
}

interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Placed[];
  readonly arrows: readonly Arrow[];
}

const ROW = 92;
const ROW_GAP = 12;
const WIDE = {
  width: 1160,
  source: { x: 0, width: 176 },
  build: { x: 196, width: 176 },
  image: { x: 392, width: 152 },
  attached: { x: 578, width: 268 },
  log: { x: 866, width: 118 },
  admission: { x: 1020, width: 140 },
} as const;
const TALL = 128;

/** Source, build and image stand at the top, the rows beside them run down. */
function wideDrawing(chain: Chain): Drawing {
  const top = (box: Box, column: { readonly x: number; readonly width: number }): Placed => ({
    box,
    ...column,
    y: 0,
    height: TALL,
  });
  const source = top(chain.source, WIDE.source);
  const build = top(chain.build, WIDE.build);
  const image = top(chain.image, WIDE.image);
  const admission = top(chain.admission, WIDE.admission);
  const rows = chain.rows.map((row, i) => ({ row, y: i * (ROW + ROW_GAP) }));
  const boxes = rows.flatMap(({ row, y }): Placed[] => [
    { box: row.attached, ...WIDE.attached, y, height: ROW },
    { box: row.log, ...WIDE.log, y, height: ROW },
  ]);
  const across = ROW / 2;
  const trunk = WIDE.attached.x - BUS;
  const bus = WIDE.admission.x - BUS;
  const last = across + Math.max(0, rows.length - 1) * (ROW + ROW_GAP);
  const arrows: Arrow[] = [
    arrow(chain.build.state, [right(source), across], [build.x, across]),
    arrow(chain.build.state, [right(build), across], [image.x, across]),
    ...(rows.length === 0
      ? [arrow('absent', [right(image), across], [admission.x, across])]
      : [
          line('plain', [right(image), across], [trunk, across], [trunk, last]),
          line('plain', [bus, last], [bus, across]),
          arrow(chain.admission.state, [bus, across], [admission.x, across]),
        ]),
    ...rows.flatMap(({ row, y }) => rowArrows(row, y + across, trunk, bus)),
  ];
  const height = Math.max(TALL, rows.length * (ROW + ROW_GAP) - ROW_GAP);
  return { width: WIDE.width, height, boxes: [source, build, image, ...boxes, admission], arrows };
}

const BUS = 20;
const right = (rect: Rect): number => rect.x + rect.width;

const arrow = (state: BoxState, ...points: Arrow['points']): Arrow => ({ points, state, hasHead: true });
const line = (state: BoxState, ...points: Arrow['points']): Arrow => ({ points, state, hasHead: false });

/** From the trunk to what is attached, to its entry, to the line that leads to admission. */
function rowArrows({ attached, log }: ChainRow, y: number, trunk: number, bus: number): Arrow[] {
  return [
    arrow(attached.state, [trunk, y], [WIDE.attached.x, y]),
    arrow(log.state, [WIDE.attached.x + WIDE.attached.width, y], [WIDE.log.x, y]),
    line(log.state, [WIDE.log.x + WIDE.log.width, y], [bus, y]),
  ];
}

const NARROW = { width: 360, indent: 26, attached: 200, log: 118, gap: 24, trunk: 10 } as const;
const NARROW_TOP = 104;

/** One column: the trunk runs down the left side, from the image to the admission. */
function narrowDrawing(chain: Chain): Drawing {
  const boxes: Placed[] = [];
  const arrows: Arrow[] = [];
  let y = 0;
  const full = (box: Box): Placed => {
    const placed = { box, x: 0, y, width: NARROW.width, height: NARROW_TOP };
    boxes.push(placed);
    y += NARROW_TOP;
    return placed;
  };
  const middle = NARROW.width / 2;
  for (const box of [chain.source, chain.build]) {
    full(box);
    arrows.push(arrow(chain.build.state, [middle, y], [middle, y + NARROW.gap]));
    y += NARROW.gap;
  }
  full(chain.image);
  let joint = y;
  const trunkTo = (to: number): Arrow['points'] => [
    [NARROW.trunk, joint],
    [NARROW.trunk, to],
  ];
  y += NARROW.gap;
  for (const row of chain.rows) {
    const at = { y, height: ROW };
    const attached = { box: row.attached, x: NARROW.indent, width: NARROW.attached, ...at };
    const log = { box: row.log, x: NARROW.width - NARROW.log, width: NARROW.log, ...at };
    const across = y + ROW / 2;
    boxes.push(attached, log);
    arrows.push(
      line('plain', ...trunkTo(across)),
      arrow(row.attached.state, [NARROW.trunk, across], [attached.x, across]),
      arrow(row.log.state, [right(attached), across], [log.x, across]),
    );
    joint = across;
    y += ROW + ROW_GAP;
  }
  y += NARROW.gap - (chain.rows.length === 0 ? 0 : ROW_GAP);
  arrows.push(arrow(chain.admission.state, ...trunkTo(y)));
  full(chain.admission);
  return { width: NARROW.width, height: y, boxes, arrows };
}

/** Both pictures; the style sheet shows the one that fits. */
export function chainSvg(chain: Chain, label: string): Html {
  return html`<div class="chain">${svg(wideDrawing(chain), 'wide', label)}${svg(narrowDrawing(chain), 'narrow', label)}</div>`;
}

function svg(drawing: Drawing, form: 'wide' | 'narrow', label: string): Html {
  const { width, height, boxes, arrows } = drawing;
  // Two pixels around, so that borders are not cut.
  return html`<svg class="${form}" viewBox="-2 -2 ${width + 4} ${height + 4}" width="${width + 4}" height="${height + 4}" role="group" aria-label="${label}">
<defs><marker id="head-${form}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>
${arrows.map((one) => arrowSvg(one, form))}
${boxes.map(boxSvg)}
</svg>`;
}

function arrowSvg({ points, state, hasHead }: Arrow, form: string): Html {
  const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  return hasHead
    ? html`<path class="arrow ${state}" d="${path}" marker-end="url(#head-${form})"/>\n`
    : html`<path class="arrow ${state}" d="${path}"/>\n`;
}

const PAD = 12;
const LINE = 17;
const MARK = 20;

function boxSvg({ box, x, y, width, height }: Placed): Html {
  const columns = Math.floor((width - 2 * PAD) / CHARACTER);
  const room = Math.max(1, Math.floor((height - 46) / LINE));
  const lines = fitted(box.lines.map(visible), columns, room);
  const whole = [
    box.form === undefined ? box.title : `${box.title} · ${box.form}`,
    ...box.lines,
    box.word,
  ].join('\n');
  // The inner svg clips; the link makes the box reachable by keyboard.
  return html`<a class="box ${box.state} ${box.kind}" href="${box.href}"><title>${whole}</title>
<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>
<svg x="${x}" y="${y}" width="${width}" height="${height}">
<text class="name" x="${PAD}" y="23">${heading(box, Math.floor((width - 2 * PAD) / BOLD_CHARACTER))}</text>
${lines.map((text, i) => html`<text class="line" x="${PAD}" y="${41 + i * LINE}">${text}</text>\n`)}<svg x="${PAD}" y="${height - 23}" width="14" height="14" viewBox="0 0 16 16">${stateMark(box.state)}</svg>
<text class="word" x="${PAD + MARK}" y="${height - 11}">${cut(visible(box.word), Math.floor((width - 2 * PAD - MARK) / CHARACTER))}</text>
</svg></a>\n`;
}

/** The form goes first when there is no room for both. */
function heading({ title, form }: Box, columns: number): string {
  const both = form === undefined ? title : `${title} · ${form}`;
  return cut(visible(widthOf(both) <= columns ? both : title), columns);
}

/** Width of a character of a line and of a heading, in pixels, in the widest of the usual fonts. */
const CHARACTER = 7.3;
const BOLD_CHARACTER = 8.6;
const WIDE_FROM = 0x1100;

const isWide = (character: string): boolean => (character.codePointAt(0) ?? 0) >= WIDE_FROM;
const widthOf = (text: string): number =>
  characters(text).reduce((sum, one) => sum + (isWide(one) ? 2 : 1), 0);

/** As many characters, from the first on, as fit in `columns`. */
function fitting(all: readonly string[], columns: number): readonly string[] {
  let width = 0;
  const end = all.findIndex((one) => {
    width += isWide(one) ? 2 : 1;
    return width > columns;
  });
  return end < 0 ? all : all.slice(0, end);
}

/** The middle gives way: both ends of a name matter. */
function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  const all = characters(text);
  const head = fitting(all, Math.ceil((columns - 1) / 2));
  const tail = fitting(all.toReversed(), Math.floor((columns - 1) / 2)).toReversed();
  return `${head.join('')}…${tail.join('')}`;
}

/** Lines of at most `columns`, at most `room` of them: the first text takes what the others leave. */
function fitted(texts: readonly string[], columns: number, room: number): readonly string[] {
  const [first = '', ...others] = texts;
  const kept = others.slice(0, room - 1);
  const free = room - kept.length;
  const lines: string[] = [];
  let rest = first;
  while (lines.length < free - 1 && widthOf(rest) > columns) {
    const taken = fitting(characters(rest), columns).join('');
    const at = Math.max(taken.lastIndexOf('/'), taken.lastIndexOf(' '), taken.lastIndexOf('@'));
    const head = at > columns / 2 ? taken.slice(0, at + 1) : taken;
    lines.push(head);
    rest = rest.slice(head.length);
  }
  return [...lines, cut(rest, columns), ...kept.map((text) => cut(text, columns))].filter(Boolean);
}
