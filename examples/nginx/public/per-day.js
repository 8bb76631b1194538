// A chart of the requests per day, with MFA and without.
import { nameOf, shareText, sumsOf, whole } from './days.js';
import { table } from './dom.js';
import { fill } from './figure.js';
import { bars, colour, draw } from './plot.js';
import * as text from './text.js';

const ofAll = (sum) => `${text.number(sum.mfa)} of ${text.number(sum.total)} with MFA`;

function asTable(sums, days) {
  const rows = sums.map((sum, i) => [nameOf(days[i]), sum.mfa, sum.total - sum.mfa, shareText(sum)]);
  return table('Requests per day', ['Day', 'With MFA', 'Without', 'Share with MFA'], rows.reverse());
}

function bar(name) {
  return { fill: colour(name), stroke: colour(name), width: 0, points: { show: false },
    paths: bars({ size: [0.62, 40] }) };
}

const wholeNumber = (one) => (Number.isInteger(one) ? text.number(one) : '');

export function show(place, items, days) {
  const sums = sumsOf(items, days);
  const all = ofAll(whole(sums));
  const frame = fill(place, [['with MFA', 'with'], ['without', 'without']],
    () => asTable(sums, days));
  return draw(frame, {
    days,
    label: `Bars: requests per day, ${nameOf(days[0])} to ${nameOf(days.at(-1))}, in all ${all}. `
      + 'The table below has the numbers.',
    readOut: (i) => [i === null ? `In all ${all}`
      : `${nameOf(days[i])}: ${ofAll(sums[i])}, ${shareText(sums[i])}`],
    // the bars with MFA are drawn over the bars of all requests, so the visible rest is without
    series: [bar('without'), bar('with')],
    data: [sums.map((sum) => sum.total), sums.map((sum) => sum.mfa)],
    yRange: (_, __, most) => [0, Math.max(4, most * 1.08)],
    yAxis: { values: (_, splits) => splits.map(wholeNumber) },
  });
}
