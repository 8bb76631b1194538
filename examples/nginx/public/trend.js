// The trend of 90 days by pcapi watch: a row of bars, and the same numbers as a table. A chart can
// take the place of the bars: `bars` gets the days and the numbers, and returns an element.
import { element, table } from './dom.js';
import { fill } from './figure.js';
import * as text from './text.js';

const DAY = 86400 * 1000;
const card = document.getElementById('trend-card');
const place = document.getElementById('trend');
const percentOf = (value, most) => `${(value / Math.max(1, most)) * 100}%`;

// A bar of the open ones for each day; in it, those who became open on that day.
function bars(days, { open, opened }, label) {
  const most = Math.max(...open, ...opened);
  return element('div', { class: 'trend-bars', role: 'img', 'aria-label': label },
    ...days.map((date, i) => {
      const all = element('span', { title: `${text.day(date)}: ${text.number(open[i])} open, `
        + `${text.number(opened[i])} new` });
      const fresh = element('i');
      all.style.height = percentOf(Math.max(open[i], opened[i]), most);
      fresh.style.height = percentOf(opened[i], Math.max(open[i], opened[i]));
      all.append(fresh);
      return all;
    }));
}

function asTable(days, { open, opened, fixed, gone }) {
  const rows = days.map((date, i) => [text.day(date), open[i], opened[i], fixed[i], gone[i]]);
  return element('div', { class: 'scrolled', tabIndex: 0, role: 'region',
    'aria-label': 'Users without MFA per day' },
  table('Users without MFA per day', ['Day', 'Open', 'New', 'Fixed', 'Gone'], rows.reverse()));
}

// Shows the trend of the history, if it has one.
export function show(history) {
  const { trend } = history ?? {};
  const from = text.parse(trend?.from);
  card.hidden = !from;
  if (!from) return;
  const isOpen = place.querySelector('details')?.open ?? false;
  const days = trend.open.map((_, i) => new Date(from.getTime() + i * DAY));
  const ends = `${text.day(days[0])} to ${text.day(days.at(-1))}`;
  const frame = fill(place, [['open or healing', 'open'], ['new on that day', 'fresh']],
    () => asTable(days, trend));
  frame.append(
    bars(days, trend, `Bars: open users per day, ${ends}; ${text.number(trend.open[0])} on the first `
      + `day, ${text.number(trend.open.at(-1))} on the last. The table below has the numbers.`),
    element('p', { class: 'read-out muted' },
      `${ends}, at most ${text.number(Math.max(...trend.open))} open`));
  place.querySelector('details').open = isOpen;
}
