// Shows the lists, and refreshes them while the page is visible.
import * as api from './api.js';
import * as charts from './charts.js';
import * as past from './history.js';
import * as notices from './notices.js';
import * as tenants from './tenants.js';
import * as text from './text.js';
import * as theme from './theme.js';
import * as tiles from './tiles.js';
import * as trend from './trend.js';
import * as users from './users.js';

const EVERY = 60 * 1000;
const SOON = 5 * 1000; // while a list is missing or being refreshed

const NAMES = ['users', 'adoption', 'requests', 'history'];
const lists = {}; // the newest of each
const errors = {}; // of lists that were never loaded
let timer;

function addressOf(name, tenant) {
  return name === 'history' && tenant ? `history?tenant=${encodeURIComponent(tenant)}` : name;
}

// An old list stays on the screen if loading it again fails, unless it is of another tenant.
async function load(name) {
  const tenant = name === 'history' ? tenants.chosen() : undefined;
  const isStill = () => name !== 'history' || tenants.chosen() === tenant;
  try {
    const list = await api.get(addressOf(name, tenant));
    if (!isStill()) return;
    lists[name] = { ...list, tenant };
    delete errors[name];
  } catch (error) {
    if (!isStill()) return;
    if (lists[name] && lists[name].tenant === tenant) lists[name] = { ...lists[name], error };
    else {
      delete lists[name];
      errors[name] = error;
    }
  }
}

function showAsOf(history) {
  const place = document.getElementById('as-of');
  const date = text.parse((tenants.chosen() ? history?.last_success : lists.users?.as_of) ?? '');
  place.title = date ? text.utc(date) : '';
  place.textContent = date ? `As of ${text.lately(date)} · ${text.ago(date)}` : '';
}

const changed = new Map(); // the state that each part of the page shows

// Calls `show` if the lists of a part have changed.
function update(part, show, ...parts) {
  const now = JSON.stringify(parts.map((one) => one
    && [one.as_of, one.error?.message ?? one.message, one.tenant]));
  if (changed.get(part) === now) return;
  changed.set(part, now);
  show();
}

let view; // of the history

// The history, unless it is still that of another tenant.
const historyNow = () => (lists.history?.tenant === tenants.chosen() ? lists.history : undefined);

function showUsers() {
  const { requests, adoption } = lists;
  const history = historyNow();
  const tenant = tenants.chosen();
  const people = tenant ? undefined : lists.users;
  const error = tenant ? errors.history ?? history?.error : errors.users;
  if (people || (tenant && view?.people)) {
    update('users', () => users.show(people, requests, adoption, view, tenant),
      people, requests, adoption, history);
  } else if (error) {
    update('users', () => users.showError(
      notices.panel('The users cannot be shown.', error, round)), error);
  }
}

function showCharts() {
  const { adoption } = lists;
  for (const card of document.querySelectorAll('.of-lists')) {
    card.hidden = tenants.chosen() !== undefined;
  }
  if (adoption) update('charts', () => charts.show(adoption), adoption);
  else if (errors.adoption) {
    update('charts', () => charts.showError(
      notices.panel('Adoption cannot be shown.', errors.adoption, round)), errors.adoption);
  }
  update('trend', () => trend.show(view), historyNow());
}

function showNotices() {
  const names = NAMES.filter((name) => name !== 'history' && lists[name]?.error);
  const problem = past.problem(view);
  notices.show((tenants.chosen() ? [] : names).map((name) => [name, lists[name]])
    .concat(problem ? [['history', { as_of: view.last_success, error: problem }]] : []));
}

function showLists() {
  const { users: people, adoption, requests } = lists;
  const history = historyNow();
  update('view', () => { view = past.viewOf(history); }, history);
  update('tiles', () => tiles.show(people, requests, adoption, view, tenants.chosen() !== undefined),
    people, requests, adoption, history);
  tenants.show(history ?? lists.history);
  showUsers();
  showCharts();
  showNotices();
  showAsOf(view);
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

async function choose() {
  await load('history');
  showLists();
}

theme.setUp(charts.redraw);
tenants.setUp(choose);
setInterval(() => showAsOf(view), 30 * 1000);
round();
