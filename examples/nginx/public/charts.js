// Draws both charts of adoption.
import { daysOf } from './days.js';
import { say } from './figure.js';
import * as perApplication from './per-application.js';
import * as perDay from './per-day.js';

const places = ['per-day', 'per-application'].map((id) => document.getElementById(id));
let last;
let removers = []; // remove the charts that are drawn

function clear() {
  removers.forEach((remove) => remove());
  removers = [];
  places.forEach((place) => place.setAttribute('aria-busy', 'false'));
}

// Shows the list. Tables that are open stay open.
export function show(adoption) {
  const opened = places.map((place) => place.querySelector('details')?.open ?? false);
  clear();
  last = adoption;
  const days = daysOf(adoption.items);
  if (days.length === 0) {
    places.forEach((place) => say(place, 'There were no requests.'));
    return;
  }
  removers = [perDay.show(places[0], adoption.items, days),
    perApplication.show(places[1], adoption.items, days, adoption.applications)];
  places.forEach((place, i) => { place.querySelector('details').open = opened[i]; });
}

// Shows the error in place of the list.
export function showError(panel) {
  clear();
  last = undefined;
  places[0].replaceChildren(panel);
  say(places[1], 'Not available now.');
}

// Draws again, after the colours have changed.
export function redraw() {
  if (last) show(last);
}
