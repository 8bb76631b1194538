// A chart of the share of requests with MFA, per application and day.
import { nameOf as dayName, share, shareText, sumsOf } from './days.js';
import { element, table } from './dom.js';
import { fill } from './figure.js';
import { colour, draw } from './plot.js';
import * as text from './text.js';

const LINES = 5; // more lines cannot be distinguished; the table has every application
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 5]];

function nameOf({ id, name }) {
  return text.visible(name || (id ? `${id.slice(0, 8)}…` : 'unknown'));
}

const shareOf = (application) => shareText({ mfa: application.with_mfa, total: application.total });
const withShare = (application) => `${nameOf(application)} ${shareOf(application)}`;

function asTable(applications) {
  return table('Adoption per application',
    ['Application', 'Requests', 'Without MFA', 'Share with MFA'],
    applications.map((one) => [element('bdi', { title: one.id }, nameOf(one)), one.total,
      one.total - one.with_mfa, shareOf(one)]));
}

function line(i) {
  return { stroke: colour(`line-${i + 1}`), width: 2, dash: DASHES[i], spanGaps: true,
    points: { show: true, size: 6, fill: colour('surface') } };
}

export function show(place, items, days, applications) {
  const shown = applications.slice(0, LINES);
  const lines = shown.map(({ id }) => sumsOf(
    items.filter((row) => (row.applicationId ?? '') === id), days));
  const frame = fill(place, shown.map((one, i) => [nameOf(one), `line-${i + 1}`]),
    () => asTable(applications));
  const rest = applications.length > LINES
    ? `The busiest ${LINES} of ${applications.length} applications. The table has all of them.`
    : 'Point at a day for its numbers.';
  // isolate each name, since it may be in a right-to-left script
  const sharesOn = (i) => shown.map((one, n) => element('bdi', {},
    `${n > 0 ? ', ' : ''}${nameOf(one)} ${shareText(lines[n][i])}`));
  return draw(frame, {
    days,
    label: `Lines: share of requests with MFA per day; in all ${shown.map(withShare).join(', ')}. `
      + 'The table below has the numbers.',
    readOut: (i) => (i === null ? [rest] : [`${dayName(days[i])}: `, ...sharesOn(i)]),
    series: shown.map((_, i) => line(i)),
    data: lines.map((sums) => sums.map(share)),
    yRange: [0, 1.03],
    yAxis: { splits: [0, 0.25, 0.5, 0.75, 1], values: (_, splits) => splits.map(text.percent) },
  });
}
