// Adoption per day and per application; each as a chart and as a table.
import { daysOf, nameOf as dayName, share, shareText, sumsOf, whole } from './days.js';
import { element, table } from './dom.js';
import { bars, colour, draw } from './plot.js';
import * as text from './text.js';

const LINES = 5; // more of them nobody tells apart; the table has all
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 5]];

const places = ['per-day', 'per-application'].map((id) => document.getElementById(id));

function legend(entries) {
  return element('ul', { class: 'legend' }, ...entries.map(([name, kind]) => element('li', {},
    element('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }), element('bdi', {}, name))));
}

function fill(place, entries, made) {
  const frame = element('div', { class: 'frame' });
  place.replaceChildren(legend(entries), frame,
    element('details', {}, element('summary', {}, 'As a table'), made));
  return frame;
}

const ofAll = (sum) => `${text.number(sum.mfa)} of ${text.number(sum.total)} with MFA`;

function perDay(place, items, days) {
  const sums = sumsOf(items, days);
  const all = whole(sums);
  const frame = fill(place, [['with MFA', 'with'], ['without', 'without']],
    table('Requests per day', ['Day', 'With MFA', 'Without', 'Share with MFA'], sums.map((sum, i) => [
      dayName(days[i]), sum.mfa, sum.total - sum.mfa, shareText(sum)]).reverse()));
  const bar = (name) => ({ fill: colour(name), stroke: colour(name), width: 0, points: { show: false },
    paths: bars({ size: [0.62, 40] }) });
  return draw(frame, {
    days,
    label: `Bars: requests per day, ${dayName(days[0])} to ${dayName(days.at(-1))}, in all ${ofAll(all)}. `
      + 'The table below has the numbers.',
    readOut: (i) => [i === null ? `In all ${ofAll(all)}`
      : `${dayName(days[i])}: ${ofAll(sums[i])}, ${shareText(sums[i])}`],
    // the bars with MFA stand in front of those of all requests, of which the rest is seen
    series: [bar('without'), bar('with')],
    data: [sums.map((sum) => sum.total), sums.map((sum) => sum.mfa)],
    yRange: (_, __, most) => [0, Math.max(4, most * 1.08)],
    yAxis: { values: (_, splits) => splits.map((one) => (Number.isInteger(one) ? text.number(one) : '')) },
  });
}

const nameOf = (application) => text.visible(application.name
  ?? (application.id ? `${application.id.slice(0, 8)}…` : 'unknown'));

const sumOf = (application) => ({ mfa: application.with_mfa, total: application.total });

function applicationTable(applications) {
  return table('Adoption per application', ['Application', 'Requests', 'Without MFA', 'Share with MFA'],
    applications.map((one) => [element('bdi', { title: one.id }, nameOf(one)), one.total,
      one.total - one.with_mfa, shareText(sumOf(one))]));
}

function perApplication(place, items, days, applications) {
  const shown = applications.slice(0, LINES);
  const lines = shown.map((one) => sumsOf(items.filter((row) => (row.applicationId ?? '') === one.id), days));
  const frame = fill(place, shown.map((one, i) => [nameOf(one), `line-${i + 1}`]),
    applicationTable(applications));
  const rest = applications.length > LINES
    ? `The busiest ${LINES} of ${applications.length}; the table has all.` : 'Point at a day for its numbers.';
  return draw(frame, {
    days,
    label: `Lines: share of requests with MFA per day; in all ${shown.map((one) => `${nameOf(one)} `
      + `${shareText(sumOf(one))}`).join(', ')}. The table below has the numbers.`,
    readOut: (i) => (i === null ? [rest] : [`${dayName(days[i])}: `, ...shown.map((one, n) => element('bdi', {},
      `${n > 0 ? ', ' : ''}${nameOf(one)} ${shareText(lines[n][i])}`))]),
    series: shown.map((_, i) => ({ stroke: colour(`line-${i + 1}`), width: 2, dash: DASHES[i], spanGaps: true,
      points: { show: true, size: 6, fill: colour('surface') } })),
    data: lines.map((sums) => sums.map(share)),
    yRange: [0, 1.03],
    yAxis: { splits: [0, 0.25, 0.5, 0.75, 1], values: (_, splits) => splits.map(text.percent) },
  });
}

let last;
let takeAway = [];

function clear() {
  takeAway.forEach((one) => one());
  takeAway = [];
  places.forEach((place) => place.setAttribute('aria-busy', 'false'));
}

// Shows the list; tables that are open stay open.
export function show(adoption) {
  const opened = places.map((place) => place.querySelector('details')?.open ?? false);
  clear();
  last = adoption;
  const days = daysOf(adoption.items);
  if (days.length === 0) {
    places.forEach((place) => place.replaceChildren(element('p', { class: 'state' }, 'There were no requests.')));
    return;
  }
  takeAway = [perDay(places[0], adoption.items, days),
    perApplication(places[1], adoption.items, days, adoption.applications)];
  places.forEach((place, i) => { place.querySelector('details').open = opened[i]; });
}

// Shows why there is no list.
export function showError(panel) {
  clear();
  last = undefined;
  places[0].replaceChildren(panel);
  places[1].replaceChildren(element('p', { class: 'state' }, 'Not known now.'));
}

// In the colours of now.
export function redraw() {
  if (last) show(last);
}
