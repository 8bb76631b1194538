// The surroundings of a chart: a legend above it, and the same numbers as a table below it.
import { element } from './dom.js';

function entry([name, kind]) {
  return element('li', {}, element('span', { class: `swatch ${kind}`, 'aria-hidden': 'true' }),
    element('bdi', {}, name));
}

// Fills a place with a legend (pairs of a name and the class of its swatch) and a table, which `make`
// makes when it is opened first: it may be long. Returns the frame for the chart.
export function fill(place, names, make) {
  const frame = element('div', { class: 'frame' });
  const details = element('details', {}, element('summary', {}, 'As a table'));
  details.addEventListener('toggle', () => details.append(make()), { once: true });
  place.replaceChildren(element('ul', { class: 'legend' }, ...names.map(entry)), frame, details);
  return frame;
}

export function say(place, words) {
  place.replaceChildren(element('p', { class: 'state' }, words));
}
