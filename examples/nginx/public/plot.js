// Draws charts with uPlot, in the colours of the page.
import uPlot from '/uplot/uPlot.esm.js';
import { element } from './dom.js';
import * as text from './text.js';

const HEIGHT = 210;
const LABEL = 46; // pixels for the name of a day

export const { bars } = uPlot.paths;

// A canvas cannot use custom properties, so an element resolves the colour.
export function colour(name) {
  const probe = element('span', { hidden: true });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function axis(more) {
  return { stroke: colour('muted'), font: '12px system-ui, sans-serif', ticks: { show: false },
    grid: { stroke: colour('line'), width: 1 }, ...more };
}

// Days have the positions 0, 1, 2…, so that no time zone moves them. The last day always has its
// name.
function dayAxis(days) {
  return axis({
    grid: { show: false }, size: 26, gap: 6,
    splits: () => days.map((_, i) => i),
    values: (plot, splits) => {
      const fit = Math.max(1, Math.floor(plot.bbox.width / devicePixelRatio / LABEL));
      const step = Math.ceil(days.length / fit);
      return splits.map((i) => ((days.length - 1 - i) % step === 0 ? text.day(days[i]) : null));
    },
  });
}

// Draws a chart in a frame. `label` describes it for screen readers. Below the chart stands what
// `readOut` returns for the day under the pointer (null: no day). Returns a function that removes
// the chart.
export function draw(frame, { days, label, readOut, series, data, yRange, yAxis }) {
  const picture = element('div', { class: 'picture', role: 'img', 'aria-label': label });
  const said = element('p', { class: 'read-out muted', 'aria-hidden': 'true' }, ...readOut(null));
  frame.replaceChildren(picture, said);
  const size = () => ({ width: Math.max(200, frame.clientWidth), height: HEIGHT });
  const plot = new uPlot({
    ...size(), legend: { show: false }, padding: [10, 4, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: false, range: () => [-0.6, days.length - 0.4] }, y: { range: yRange } },
    series: [{}, ...series],
    axes: [dayAxis(days), axis({ size: 44, gap: 6, ...yAxis })],
    hooks: { setCursor: [(one) => said.replaceChildren(...readOut(one.cursor.idx ?? null))] },
  }, [days.map((_, i) => i), ...data], picture);
  const observer = new ResizeObserver(() => plot.setSize(size()));
  observer.observe(frame);
  return () => {
    observer.disconnect();
    plot.destroy();
  };
}
