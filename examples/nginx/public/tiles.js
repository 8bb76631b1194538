// The four numbers at the top.
import * as past from './history.js';
import * as text from './text.js';

function set(id, strong, small) {
  const place = document.getElementById(id);
  const value = place.querySelector('strong');
  value.className = '';
  value.textContent = strong;
  place.querySelector('small').textContent = small;
}

const NONE = '–';
function showNew(users, history) {
  const name = document.getElementById('tile-new-name');
  const count = past.countNew(users, history);
  name.textContent = 'New';
  if (count === undefined) {
    set('tile-new', NONE, 'Not known without pcapi watch');
    return;
  }
  name.textContent = `New since ${text.at(text.parse(past.since(history)))}`;
  set('tile-new', text.number(count), count === 0 ? 'Every user was known before'
    : 'Not known before, or back');
}

const capped = (list) => (list.truncated ? 'The newest ones; there may be more' : 'In the last 7 days');

// Shows the lists; undefined stands for a missing list.
export function show(users, requests, adoption, history) {
  if (users) {
    set('tile-users', text.number(users.count), capped(users));
    showNew(users, history);
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
