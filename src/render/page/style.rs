//! How the page looks, by day, by night and on paper. Colours have names of what they mean, and
//! never stand alone: what is bad is hatched or says so.

/// The style sheet.
pub const CSS: &str = "
:root{color-scheme:light dark;--bg:#fdfcfa;--fg:#1d2327;--soft:#5d6870;--line:#d9d5cd;--card:#f4f1eb;
--ok:#2f7d5b;--okbg:#cfe6da;--bad:#b3362b;--badbg:#f3cfca;--warn:#8a5a00;--warnbg:#f4e3bd;--blue:#2b62a8;--band:#d4dfee}
@media (prefers-color-scheme:dark){:root{--bg:#14181b;--fg:#e4e6e7;--soft:#98a3ab;--line:#333b41;--card:#1d2327;
--ok:#69c39a;--okbg:#1f4636;--bad:#f08a7e;--badbg:#552723;--warn:#e0b04c;--warnbg:#46380f;--blue:#84b4ee;--band:#26394f}}
*{box-sizing:border-box;print-color-adjust:exact}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:1120px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:22px;line-height:1.3;margin:0 0 4px;font-weight:600}
h2{font-size:16px;margin:32px 0 8px;font-weight:600}
h2::first-letter{text-transform:uppercase}
h3{font-size:14px;margin:20px 0 2px;font-weight:600}
p{margin:6px 0}
.soft,.faint{color:var(--soft)}
.good{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad);font-weight:600}.strong{font-weight:600}
.badge{display:inline-block;border:1.5px solid;border-radius:5px;padding:1px 9px;font-size:15px;letter-spacing:.04em;
margin-right:8px;vertical-align:2px;font-weight:700}
.badge.good{background:var(--okbg)}.badge.bad{background:var(--badbg)}.badge.warn{background:var(--warnbg)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:18px 0 8px;padding:0}
.tile{background:var(--card);border-radius:7px;padding:10px 14px}
.tile b{display:block;font-size:22px;line-height:1.3;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}
ul{margin:6px 0;padding-left:20px}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:4px 0}
th{font-weight:600;color:var(--soft);font-size:11px;letter-spacing:.03em;text-align:left;white-space:nowrap}
th,td{padding:4px 13px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
td{white-space:nowrap}
td.long{white-space:normal;overflow-wrap:anywhere;min-width:15em;max-width:34em}
.num{text-align:right}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:14px 0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;min-width:0}
details{border-top:1px solid var(--line);padding:6px 0}
summary{cursor:pointer;font-weight:600;font-size:14px}
footer{margin-top:36px;color:var(--soft);font-size:13px;border-top:1px solid var(--line);padding-top:10px}
svg{display:block;width:100%;min-width:760px;height:auto;font:12px system-ui,sans-serif}
svg.defs{position:absolute;width:0;height:0;min-width:0}
svg text{fill:var(--fg)}
svg .halo{paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}
svg .tick,svg .note{fill:var(--soft);font-size:11px}
svg .name{font-weight:600}
svg .badtext{fill:var(--bad);font-weight:600}
svg .oktext{fill:var(--ok)}
svg path{fill:none}
svg .axis{stroke:var(--soft)}
svg .grid{stroke:var(--line);stroke-width:.7}
svg .lead{stroke:var(--soft);stroke-width:.8}
svg .zero{stroke:var(--fg);stroke-width:1.2}
svg .dot{fill:var(--fg);stroke:var(--bg);stroke-width:1.5}
svg .up{stroke:var(--okbg);stroke-width:26}
svg .down{stroke:url(#hatch);stroke-width:26}
svg .ground{fill:var(--badbg)}
svg .stripe{stroke:var(--bad);stroke-width:1.4}
svg .unseen{fill:none;stroke:var(--soft);stroke-dasharray:3 3}
svg .shade{fill:var(--badbg);opacity:.45}
svg .points{stroke:var(--blue);stroke-width:2.2;stroke-linecap:round;opacity:.6}
svg .median{stroke:var(--blue);stroke-width:1.8}
svg .slow{stroke:var(--warn);stroke-width:1.5;stroke-dasharray:5 3}
svg .fails{stroke:var(--bad);stroke-width:9}
svg .band{fill:var(--band);stroke:var(--blue);stroke-width:.7;stroke-dasharray:4 3}
svg .bar{fill:var(--blue)}
svg .bar.over{fill:url(#hatch);stroke:var(--bad);stroke-width:1.2}
svg .likely{stroke:var(--blue);stroke-width:1.4}
@media (max-width:520px){main{padding:18px 12px 32px}h1{font-size:19px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:6px}}
@media print{:root{--bg:#fff;--fg:#000;--soft:#444;--line:#bbb;--card:#f2f2f2;color-scheme:light;
--ok:#2f7d5b;--okbg:#cfe6da;--bad:#b3362b;--badbg:#f3cfca;--warn:#8a5a00;--warnbg:#f4e3bd;--blue:#2b62a8;--band:#d4dfee}
body{font-size:11px}main{max-width:none;padding:0}.scroll{overflow:visible}svg{min-width:0}table{font-size:9px}
th,td{padding-right:8px}.figure,tr{break-inside:avoid}h2,h3{break-after:avoid}}
";

/// What the pictures share: the hatching of everything that is bad.
pub const DEFS: &str = "<svg class=\"defs\" aria-hidden=\"true\"><defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"ground\" width=\"7\" height=\"7\"/><path class=\"stripe\" d=\"M0 0V7\"/></pattern></defs></svg>\n";
