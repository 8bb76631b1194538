// Shows the lists, and refreshes them while the page is visible.
import * as api from './api.js';
import * as charts from './charts.js';
import * as past from './history.js';
import * as notices from './notices.js';
import * as text from './text.js';
import * as theme from './theme.js';
import * as tiles from './tiles.js';
import * as users from './users.js';

const EVERY = 60 * 1000;
const SOON = 5 * 1000; // while a list is missing or being refreshed

const NAMES = ['users', 'adoption', 'requests', 'history'];
const lists = {}; // the newest of each
const errors = {}; // of lists that were never loaded
let timer;

// An old list stays on the screen if loading it again fails.
async function load(name) {
  try {
    lists[name] = await api.get(name);
    delete errors[name];
  } catch (error) {
    if (lists[name]) lists[name] = { ...lists[name], error };
    else errors[name] = error;
  }
}

function showAsOf() {
  const place = document.getElementById('as-of');
  if (!lists.users) {
    place.textContent = '';
    return;
  }
  const date = new Date(lists.users.as_of);
  place.title = text.utc(date);
  place.textContent = `As of ${text.lately(date)} · ${text.ago(date)}`;
}

const changed = new Map(); // the state that each part of the page shows

// Calls `show` if the lists of a part have changed.
function update(part, show, ...parts) {
  const now = JSON.stringify(parts.map((one) => one
    && [one.as_of, one.error?.message ?? one.message]));
  if (changed.get(part) === now) return;
  changed.set(part, now);
  show();
}

function showLists() {
  const { users: people, adoption, requests, history } = lists;
  const shown = [people, requests, adoption, history];
  update('tiles', () => tiles.show(...shown), ...shown);
  if (people) {
    update('users', () => users.show(...shown), ...shown);
  } else if (errors.users) {
    update('users', () => users.showError(
      notices.panel('The users cannot be shown.', errors.users, round)), errors.users);
  }
  if (adoption) update('charts', () => charts.show(adoption), adoption);
  else if (errors.adoption) {
    update('charts', () => charts.showError(
      notices.panel('Adoption cannot be shown.', errors.adoption, round)), errors.adoption);
  }
  const problem = past.problem(history);
  notices.show(NAMES.filter((name) => name !== 'history' && lists[name]?.error)
    .map((name) => [name, lists[name]])
    .concat(problem ? [['history', { as_of: history.last_success, error: problem }]] : []));
  showAsOf();
}

async function round() {
  clearTimeout(timer);
  await Promise.all(NAMES.map(load));
  const soon = NAMES.some((name) => !lists[name] || (lists[name].stale && !lists[name].error));
  timer = setTimeout(look, soon ? SOON : EVERY);
  showLists();
}

// A page in the background waits until it is visible.
function look() {
  if (document.hidden) document.addEventListener('visibilitychange', round, { once: true });
  else round();
}

theme.setUp(charts.redraw);
setInterval(showAsOf, 30 * 1000);
round();
