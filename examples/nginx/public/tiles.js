// The four numbers at the top.
import * as text from './text.js';

function set(id, strong, small) {
  const place = document.getElementById(id);
  const value = place.querySelector('strong');
  value.className = '';
  value.textContent = strong;
  place.querySelector('small').textContent = small;
}

const NONE = '–';
const DAY = 86400 * 1000;

function showNew(users) {
  const name = document.getElementById('tile-new-name');
  if (users.compared_with === undefined) {
    name.textContent = 'New since yesterday';
    set('tile-new', NONE, 'No earlier day to compare with yet');
    return;
  }
  const before = text.parse(users.compared_with);
  const isYesterday = Date.parse(users.as_of.slice(0, 10)) - before.getTime() === DAY;
  name.textContent = isYesterday ? 'New since yesterday' : `New since ${text.day(before)}`;
  set('tile-new', text.number(users.new_count),
    users.new_count === 0 ? 'Every user was in the list before' : 'Not in the list on any earlier day');
}

const capped = (list) => (list.truncated ? 'The newest ones; there may be more' : 'In the last 7 days');

// Shows the lists; undefined stands for a missing list.
export function show(users, requests, adoption) {
  if (users) {
    set('tile-users', text.number(users.count), capped(users));
    showNew(users);
  } else {
    set('tile-users', NONE, 'Not available now');
    set('tile-new', NONE, 'Not available now');
  }
  if (requests) set('tile-requests', text.number(requests.count), capped(requests));
  else set('tile-requests', NONE, 'Not available now');
  if (adoption?.ratio !== undefined) {
    set('tile-adoption', text.percent(adoption.ratio),
      `${text.number(adoption.with_mfa)} of ${text.number(adoption.total)}`);
  } else set('tile-adoption', NONE, adoption ? 'There were no requests' : 'Not available now');
}
