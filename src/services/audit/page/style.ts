/** Table of styles. Colours in pairs for both schemes; every state also has a shape and a word. */
export const STYLE = `
:root { color-scheme: light dark;
  --bg: #f6f7f9; --card: #ffffff; --text: #16202c; --dim: #566273; --line: #d5dbe3; --link: #0b57a8;
  --ok: #13693a; --ok-bg: #e6f4eb; --bad: #a51d24; --bad-bg: #fdeceb; --odd: #7f5300; --odd-bg: #fdf3dc;
  --none: #566273; --none-bg: #eef1f5; --bar: #16273d; --bar-text: #ffffff; --focus: #0b57a8; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #0e141b; --card: #161e28; --text: #e4e9f0; --dim: #9dabbc; --line: #2d3948; --link: #82b8f5;
  --ok: #6fd39a; --ok-bg: #122a1d; --bad: #ff9a93; --bad-bg: #371a1b; --odd: #f0c264; --odd-bg: #30260f;
  --none: #9dabbc; --none-bg: #1d2733; --bar: #0a0f15; --bar-text: #e4e9f0; --focus: #82b8f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--text);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif; }
code, pre, .identity { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .88em; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: 2px; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--card); padding: 8px 12px; z-index: 2; }
.top { background: var(--bar); color: var(--bar-text); }
.bar { max-width: 1240px; margin: 0 auto; padding: 10px 24px; display: flex; gap: 12px 24px; align-items: center; flex-wrap: wrap; justify-content: space-between; }
.brand { display: flex; gap: 8px; align-items: center; color: inherit; text-decoration: none; font-weight: 650; font-size: 17px; letter-spacing: .01em; }
.search { display: flex; gap: 8px; align-items: center; flex: 1 1 320px; max-width: 620px; }
.search label { font-size: 13px; white-space: nowrap; }
.search input { flex: 1; min-width: 0; font: inherit; font-size: 14px; padding: 6px 10px; border: 1px solid #7d8ea3; border-radius: 6px; background: var(--card); color: var(--text); }
.search button { font: inherit; font-size: 14px; padding: 6px 14px; border: 1px solid #7d8ea3; border-radius: 6px; background: transparent; color: inherit; cursor: pointer; }
.top :focus-visible { outline-color: #9cc9ff; }
.banner { margin: 0; padding: 6px 24px; background: var(--odd-bg); color: var(--odd); font-size: 13px; text-align: center; border-bottom: 1px solid var(--line); }
main { max-width: 1240px; margin: 0 auto; padding: 20px 24px 32px; }
footer { max-width: 1240px; margin: 0 auto; padding: 0 24px 32px; color: var(--dim); font-size: 13px; }
h1 { font-size: 26px; line-height: 1.25; margin: 6px 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 10px; }
h3 { font-size: 15px; margin: 14px 0 6px; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin: 16px 0; min-width: 0; }
.crumbs { font-size: 13px; color: var(--dim); }
.digest { margin: 0 0 6px; color: var(--dim); }
.detail { color: var(--dim); font-size: 14px; }
.hint, .form { color: var(--dim); font-size: 13px; font-weight: 400; overflow-wrap: anywhere; }
.hint.line { display: block; }
.count { display: inline-block; min-width: 22px; padding: 0 7px; border-radius: 11px; background: var(--none-bg); color: var(--none); font-size: 13px; font-weight: 500; text-align: center; }
.note, .trouble { padding: 8px 12px; background: var(--odd-bg); color: var(--odd); border-left: 4px solid var(--odd); border-radius: 4px; overflow-wrap: anywhere; }
.empty { padding: 6px 14px; border: 1px dashed var(--line); border-radius: 8px; color: var(--dim); overflow-wrap: anywhere; }
.empty code { color: var(--text); }
.places { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; }
.tag { display: inline-block; padding: 0 8px; border: 1px solid var(--line); border-radius: 10px; font-size: 13px; background: var(--none-bg); overflow-wrap: anywhere; }
.badge { display: inline-flex; gap: 7px; align-items: center; font-weight: 600; }
.badge svg { flex: none; }
.badge.verified { color: var(--ok); } .badge.refused { color: var(--bad); } .badge.unproven { color: var(--odd); }
.badge.absent, .badge.plain { color: var(--none); }
.mark { fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
.summary { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 4px 0 0; }
.verdict { border-left-width: 6px; }
.verdict.verified { border-left-color: var(--ok); } .verdict.refused { border-left-color: var(--bad); }
.verdict.unproven { border-left-color: var(--odd); } .verdict.absent { border-left-color: var(--none); }
.verdict h2 { font-size: 20px; margin: 0; } .verdict h2 svg { width: 20px; height: 20px; }
.verdict > p { margin: 2px 0 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); gap: 12px; margin: 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; display: flex; flex-direction: column; min-width: 0; }
.card.absent { border-style: dashed; }
.card.refused { border-color: var(--bad); border-width: 2px; }
.card dt { color: var(--dim); font-size: 13px; } .card dd { margin: 0; overflow-wrap: anywhere; }
.card dd:nth-of-type(1) { font-weight: 600; } .card .state { margin-top: auto; padding-top: 6px; font-size: 14px; }
.chain { overflow: hidden; margin-top: 8px; }
.chain svg.wide, .chain svg.narrow { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.chain svg.narrow { display: none; }
.box { text-decoration: none; }
.box rect { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.box.verified > rect { fill: var(--ok-bg); stroke: var(--ok); }
.box.refused > rect { fill: var(--bad-bg); stroke: var(--bad); stroke-width: 3; }
.box.unproven > rect { fill: var(--odd-bg); stroke: var(--odd); stroke-dasharray: 9 4; }
.box.absent > rect { fill: none; stroke: var(--none); stroke-dasharray: 3 4; }
.box.plain > rect { fill: var(--card); stroke: var(--text); }
.box text { fill: var(--text); font-size: 12px; white-space: pre; }
.box .name { font-size: 13.5px; font-weight: 650; } .box .line { fill: var(--dim); } .box .word { font-weight: 600; }
.box.verified .word { fill: var(--ok); } .box.refused .word { fill: var(--bad); } .box.unproven .word { fill: var(--odd); }
.box.absent .word { fill: var(--none); }
.box.verified .mark { color: var(--ok); } .box.refused .mark { color: var(--bad); } .box.unproven .mark { color: var(--odd); }
.box.absent .mark { color: var(--none); } .box.plain .mark { color: var(--text); }
.box:hover rect, .box:focus-visible rect { stroke-width: 3; }
.box:focus-visible { outline: none; } .box:focus-visible rect { stroke: var(--focus); stroke-dasharray: none; stroke-width: 4; }
.arrow { shape-rendering: crispEdges; fill: none; stroke: var(--dim); stroke-width: 1.5; }
.arrow.absent, .arrow.refused, .arrow.unproven { stroke-dasharray: 4 4; }
.head { fill: var(--dim); }
.facts { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 12px; align-items: start; }
.fact { border: 1px solid var(--line); border-left-width: 5px; border-radius: 8px; padding: 10px 16px 12px; min-width: 0; scroll-margin-top: 12px; }
.fact.verified { border-left-color: var(--ok); } .fact.refused { border-left-color: var(--bad); } .fact.unproven { border-left-color: var(--odd); }
.fact:target, tr:target { outline: 3px solid var(--focus); outline-offset: 2px; }
.fact h3 { margin: 0; } .fact p { margin: 2px 0 6px; overflow-wrap: anywhere; }
.says { margin: 0 0 6px; padding-left: 18px; overflow-wrap: anywhere; }
.rows { margin: 0; } .rows > div { display: grid; grid-template-columns: 92px 1fr; gap: 2px 10px; padding: 2px 0; }
.rows dt { color: var(--dim); font-size: 13px; } .rows dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.path { color: var(--dim); font-size: .8em; }
.code { color: var(--dim); font-size: .8em; white-space: normal; }
details { margin-top: 6px; } summary { cursor: pointer; color: var(--link); font-size: 14px; }
pre { overflow: auto; background: var(--none-bg); padding: 10px 12px; border-radius: 6px; margin: 6px 0; white-space: pre-wrap; }
.evidence { font-size: 14px; padding-left: 18px; overflow-wrap: anywhere; } .evidence ul { padding-left: 18px; }
.coverage { padding-left: 18px; overflow-wrap: anywhere; } .coverage li { margin: 6px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px 7px 0; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
thead th { color: var(--dim); font-weight: 500; font-size: 13px; }
tbody th { font-weight: 600; } td .badge { white-space: nowrap; }
tbody th, td { overflow-wrap: anywhere; } .date, .index { white-space: nowrap; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 16px; align-items: start; }
.stations { list-style: none; margin: 0; padding: 0; }
.stations li { display: grid; grid-template-columns: 70px 1fr auto; gap: 4px 10px; padding: 7px 0; border-bottom: 1px solid var(--line); align-items: baseline; }
.stations li:last-child { border-bottom: 0; } .stations .badge { align-self: center; }
.legend dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 10px 24px; margin: 0; }
.legend dd { margin: 2px 0 0; color: var(--dim); font-size: 14px; }
.problem { max-width: 720px; }
@media (max-width: 1180px) { .chain svg.wide { display: none; } .chain svg.narrow { display: block; width: 100%; max-width: 460px; } }
@media (max-width: 800px) { .columns { grid-template-columns: 1fr; } main { padding: 12px 12px 24px; } section { padding: 14px 14px; }
  .bar { padding: 10px 12px; } footer { padding: 0 12px 24px; } h1 { font-size: 22px; }
  .search label { position: absolute; left: -999px; } .search { flex-basis: 100%; max-width: none; } }
@media (max-width: 600px) { .rows > div { grid-template-columns: 1fr; padding: 4px 0; }
  .stations li { grid-template-columns: 64px 1fr; } .stations .path { grid-column: 2; }
  table, tbody, tr, td, th[scope=row] { display: block; } thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: 8px 0; } tr:last-child { border-bottom: 0; } td, th { border: 0; padding: 1px 0; } }
@media print { .search, .skip { display: none; } section { break-inside: avoid; } }
@media (forced-colors: active) { .box rect { stroke: CanvasText; } }
`;
