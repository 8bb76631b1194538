// The table of users, with search, groups and sorting.
import { element, icon } from './dom.js';
import * as past from './history.js';
import * as longTable from './long-table.js';
import * as people from './people.js';
import * as rows from './rows.js';
import * as text from './text.js';

const ARROW = 'M6 8.5 10 12.5l4-4';
const CHECK = 'M4.5 10.5 8.5 14.5l7-8.5';

const COLUMNS = [
  { key: 'name', title: 'User', compare: (a, b) => a.rank - b.rank },
  { key: 'last', title: 'Last time', more: ' without MFA', down: true,
    compare: (a, b) => (a.last?.getTime() ?? 0) - (b.last?.getTime() ?? 0) },
  { key: 'requests', title: 'Requests', down: true, needsList: true,
    compare: (a, b) => a.requests.length - b.requests.length },
];

const state = { users: [], query: '', onlyNew: false, group: 'now', sort: 'last', down: true,
  open: new Set(), applications: new Map(), hasList: true, hasRequests: false };
let rendered; // the rows of the table that is shown
let newest = 0; // of the calls of `show`

const place = document.getElementById('users-body');
const count = document.getElementById('users-count');
const filter = document.getElementById('users-filter');
const search = document.getElementById('search');
const onlyNew = document.getElementById('only-new');
const group = document.getElementById('group');
const csv = document.getElementById('csv');

const columns = () => COLUMNS.filter((one) => state.hasList || !one.needsList);

// The users of the group, and those of them who match.
function matching() {
  const query = state.query.trim().toLowerCase();
  const { compare } = COLUMNS.find((one) => one.key === state.sort);
  const all = state.users.filter(people.GROUPS[state.group]);
  const found = all.filter((user) => user.words.includes(query) && (!state.onlyNew || user.isNew))
    .sort((a, b) => (state.down ? -1 : 1) * compare(a, b) || a.rank - b.rank);
  return { all, found };
}

function sortBy(column) {
  state.down = state.sort === column.key ? !state.down : column.down ?? false;
  state.sort = column.key;
  render();
  place.querySelector(`button[data-sort="${column.key}"]`).focus();
}

function headCell(column) {
  const isSorted = state.sort === column.key;
  const title = element('span', {}, column.title,
    column.more ? element('span', { class: 'wide' }, column.more) : null);
  const button = element('button', { type: 'button', class: 'sort', 'data-sort': column.key },
    title, icon(ARROW));
  button.addEventListener('click', () => sortBy(column));
  return element('th', { scope: 'col', class: `col-${column.key}`,
    'aria-sort': isSorted ? (state.down ? 'descending' : 'ascending') : undefined }, button);
}

const nobody = () => element('div', { class: 'state good' }, icon(CHECK),
  element('p', {}, 'No user signed in without MFA in the last 7 days.'));

function noMatch() {
  const query = state.query.trim();
  if (!query && !state.onlyNew && state.group === 'now') return nobody();
  const button = element('button', { type: 'button', class: 'plain' }, 'Show all users');
  button.addEventListener('click', () => {
    search.value = '';
    onlyNew.checked = false;
    group.value = 'now';
    Object.assign(state, { query: '', onlyNew: false, group: 'now' });
    render();
    search.focus();
  });
  const words = query ? `No user matches “${query}”.`
    : state.onlyNew ? 'No user is new.' : 'There is no user of this kind.';
  return element('div', { class: 'state' }, element('p', {}, words), button);
}

function say({ all, found }) {
  const words = text.plural(all.length, 'user', 'users');
  count.textContent = found.length === all.length ? words
    : `${text.number(found.length)} of ${words}`;
}

function tableOf(found) {
  const made = element('table', { class: 'users', 'aria-rowcount': String(found.length + 1) },
    element('caption', { class: 'hidden' }, 'Users who signed in without MFA'),
    element('thead', {}, element('tr', { 'aria-rowindex': '1' }, ...columns().map(headCell))));
  const { open, applications, hasList, hasRequests } = state;
  rendered = longTable.fill(made, columns().length, found, rows.maker({
    columns: columns().length, open, applications, hasList, hasRequests }));
  return made;
}

// Renders the table. The focus stays on the same user, and the page where it is.
function render() {
  const focused = document.activeElement.dataset?.user;
  const { scrollX, scrollY } = window;
  const users = matching();
  say(users);
  rendered?.remove();
  rendered = undefined;
  if (users.found.length === 0) {
    place.replaceChildren(noMatch());
    return;
  }
  place.replaceChildren(tableOf(users.found));
  rendered.start();
  if (focused !== undefined) {
    const index = users.found.findIndex((user) => user.id === focused);
    if (index >= 0) rendered.reveal(index);
    [...place.querySelectorAll('[data-user]')].find((one) => one.dataset.user === focused)
      ?.focus({ preventScroll: true });
  }
  scrollTo(scrollX, scrollY);
}

// Shows something in place of the table and all that belongs to it.
function showInstead(shown) {
  count.textContent = '';
  filter.hidden = true;
  rendered?.remove();
  rendered = undefined;
  place.replaceChildren(shown);
}

function showFilter(history) {
  const hasPeople = Boolean(history?.people);
  filter.hidden = false;
  onlyNew.closest('label').hidden = !past.since(history);
  group.closest('label').hidden = !hasPeople;
  if (!hasPeople) state.group = 'now';
  if (!past.since(history)) state.onlyNew = false;
  group.value = state.group;
  onlyNew.checked = state.onlyNew;
  if (!state.hasList && state.sort === 'requests') state.sort = 'last';
}

// Where the same users are as CSV.
function showCsv(history, tenant) {
  csv.hidden = false;
  csv.querySelector('a').href = !history?.people ? '/api/users.csv'
    : `/api/history.csv${tenant ? `?tenant=${encodeURIComponent(tenant)}` : ''}`;
}

// Shows the users. Other lists may be missing; that of users, too, for another tenant, whose id is
// `tenant`.
export async function show(users, requests, adoption, history, tenant) {
  newest += 1;
  const mine = newest;
  const found = await people.of(users, requests, history);
  if (mine !== newest) return; // there is something newer to show
  Object.assign(state, { users: found, hasList: users !== undefined,
    hasRequests: requests !== undefined,
    applications: new Map((adoption?.applications ?? []).map((one) => [one.id, one.name])) });
  if (found.length === 0) {
    showInstead(nobody());
  } else {
    showFilter(history);
    render();
  }
  showCsv(history, tenant);
  place.setAttribute('aria-busy', 'false');
}

// Shows the error in place of the list.
export function showError(panel) {
  newest += 1;
  place.setAttribute('aria-busy', 'false');
  csv.hidden = true;
  showInstead(panel);
}

filter.addEventListener('submit', (event) => event.preventDefault());
search.addEventListener('input', () => {
  state.query = search.value;
  render();
});
onlyNew.addEventListener('change', () => {
  state.onlyNew = onlyNew.checked;
  render();
});
group.addEventListener('change', () => {
  state.group = group.value;
  render();
});
