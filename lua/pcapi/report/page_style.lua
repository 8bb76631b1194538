--- The style of the report: light and dark, for screens and paper. It holds neither < nor &, so it
-- is the same text in HTML and XML.
-- @module pcapi.report.page_style
return [[
:root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--back:#fff;--box:#f5f7f9;
--line:#d0d7de;--open:#b42318;--new:#b25e02;--good:#1a7f37;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9da7b1;--back:#0f1419;--box:#1a2027;
--line:#3a434d;--open:#ff8a80;--new:#e3a24a;--good:#56c46f;--link:#79b8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
header,main,footer{max-width:72rem;margin:auto;padding:0 1.25rem}
h1{font-size:1.7rem;margin:1.2rem 0 .2rem}
h2{font-size:1.35rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:2px solid var(--line)}
h3{font-size:1.08rem;margin:1.6rem 0 .4rem}
h1,h2,h3,li{overflow-wrap:anywhere}
p{margin:.4rem 0;max-width:48rem}
a{color:var(--link)}
a:focus-visible,div:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:1rem;top:.5rem;background:var(--back);padding:.4rem .8rem}
.soft,caption,footer{color:var(--soft)}
.facts{display:flex;flex-wrap:wrap;gap:.75rem;margin:1rem 0;padding:0;list-style:none}
.facts li{background:var(--box);border:1px solid var(--line);border-radius:8px;padding:.5rem .9rem;
min-width:8rem;color:var(--soft)}
.facts strong{display:block;font-size:1.5rem;line-height:1.3;color:var(--text)}
.warn{margin:.6rem 0;padding:.5rem .9rem .5rem 2rem;border-left:4px solid var(--new);
background:var(--box)}
.scroll{overflow-x:auto}
.short{max-height:16rem;overflow:auto}
.short table{width:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;padding:.3rem 0}
th,td{text-align:left;vertical-align:top;padding:.3rem .9rem .3rem 0;
border-bottom:1px solid var(--line)}
tbody th{font-weight:600;overflow-wrap:anywhere;min-width:9rem}
td{overflow-wrap:break-word}
.times td:nth-child(3),.times td:nth-child(4){white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code{font-size:.85em;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;max-width:60rem;font-size:12px;fill:var(--soft)}
svg .open{fill:none;stroke:var(--open);stroke-width:2}
svg .new{fill:var(--new)}
svg .good{fill:var(--good)}
svg .bad{fill:var(--open)}
svg .grid{stroke:var(--line);fill:none}
.key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 .8em;vertical-align:-.05em}
.k-open{background:var(--open)}
.k-new{background:var(--new)}
.k-good{background:var(--good)}
dt{font-weight:600;margin-top:.4rem}
dd{margin:0 0 0 1rem}
@page{margin:15mm}
@media print{:root{color-scheme:light;--text:#000;--soft:#444;--back:#fff;--box:#fff;--line:#bbb;
--open:#b42318;--new:#b25e02;--good:#1a7f37;--link:#000}
body{font-size:10pt}header,main,footer{max-width:none;padding:0}nav,.skip{display:none}
.scroll,.short{overflow:visible;max-height:none}thead{display:table-header-group}
tr,svg{break-inside:avoid}h2,h3,caption{break-after:avoid}
svg *,.key{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
]]
