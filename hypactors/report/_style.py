"""How the page looks: light and dark, wide and narrow, on a screen and on paper."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #16191d; --soft: #5b6570; --line: #dfe3e8;
  --track: #eceff3; --good: #0a6b3d; --warn: #8a5800; --bad: #b3261e; --badge: #eef1f5;
  --c1: #2a6fd6; --c2: #12996b; --c3: #d98d00; --c4: #7b4fc9; --c5: #cf4a72; --c0: #94a0ad;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1215; --card: #191d22; --text: #e8ebef; --soft: #9aa5b1; --line: #2c333b;
    --track: #262c33; --good: #5fd39a; --warn: #f0b64a; --bad: #ff8f85; --badge: #252b32;
    --c1: #5a9bf5; --c2: #35bd8d; --c3: #e0a63a; --c4: #a98bea; --c5: #ea7c9c; --c0: #6f7b88;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main, header, footer { max-width: 900px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
footer { padding-bottom: 40px; color: var(--soft); font-size: 14px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; }
h2 { margin: 0 0 12px; font-size: 18px; letter-spacing: -0.01em; }
h3 { margin: 20px 0 8px; font-size: 15px; }
p { margin: 6px 0; }
.soft { color: var(--soft); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 22px; margin: 20px 0;
}
dl.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 24px 0 0; }
dl.tiles > div {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px;
}
dl.tiles dt { color: var(--soft); font-size: 13px; }
dl.tiles dd { margin: 2px 0 0; font-size: 24px; font-weight: 600; letter-spacing: -0.02em; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 12px 0 0; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
svg.plot { display: block; width: 100%; height: auto; }
svg.plot text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
svg.plot .grid { stroke: var(--line); stroke-width: 1; }
svg.plot .pile rect { stroke: var(--card); stroke-width: 0.6; }
svg.plot .pile:hover rect { opacity: 0.75; }
svg.narrow { display: none; }
.c0 { fill: var(--c0); } .c1 { fill: var(--c1); } .c2 { fill: var(--c2); }
.c3 { fill: var(--c3); } .c4 { fill: var(--c4); } .c5 { fill: var(--c5); }
.track { fill: var(--track); }
td:has(.meter) { width: 34%; }
svg.meter { display: block; width: 100%; min-width: 70px; height: 8px; border-radius: 4px; }
svg.swatch { width: 10px; height: 10px; margin-right: 7px; flex: none; }
ul.legend {
  display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 12px; padding: 0; list-style: none;
  font-size: 14px; color: var(--soft);
}
ul.legend li { display: flex; align-items: center; min-width: 0; }
ul.legend span { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
.scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
caption {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
th, td { padding: 7px 10px 7px 0; text-align: left; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; overflow-wrap: anywhere; min-width: 146px; }
tbody th:has(.badge) { min-width: 0; }
td time { white-space: nowrap; }
td:has(code) { min-width: 160px; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
details { margin: 12px 0 16px; font-size: 14px; }
details[open] > .scroll { max-height: 420px; overflow: auto; margin-top: 8px; }
summary { cursor: pointer; color: var(--soft); width: max-content; }
.badge {
  display: inline-block; padding: 1px 10px; border-radius: 999px; background: var(--badge);
  font-size: 13px; font-weight: 600; white-space: nowrap;
}
.badge.good { color: var(--good); } .badge.warn { color: var(--warn); }
.badge.bad { color: var(--bad); }
code {
  font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere;
}
@media (max-width: 640px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 24px; }
  h1 { font-size: 25px; }
  section { padding: 16px 14px; }
  dl.tiles { grid-template-columns: repeat(2, 1fr); gap: 10px; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: 8px; }
  td:has(.meter), th:empty { display: none; }
  svg.wide { display: none; }
  svg.narrow { display: block; }
}
@media print {
  body { background: none; }
  section, dl.tiles > div { break-inside: avoid; }
}
"""
