// The table of users, with search, sorting, and the requests of each user without MFA.
import { breakable, element, icon, table, time } from './dom.js';
import * as past from './history.js';
import * as text from './text.js';

const CHUNK = 100; // rows per step, since a list may have 10,000
const collator = new Intl.Collator('en', { sensitivity: 'base', numeric: true });

const CHEVRON = 'M7.5 5.5 12 10l-4.5 4.5';
const ARROW = 'M6 8.5 10 12.5l4-4';
const CHECK = 'M4.5 10.5 8.5 14.5l7-8.5';

const COLUMNS = [
  { key: 'name', title: 'User', compare: (a, b) => collator.compare(a.name, b.name) },
  { key: 'last', title: 'Last time', more: ' without MFA', down: true,
    compare: (a, b) => (a.last?.getTime() ?? 0) - (b.last?.getTime() ?? 0) },
  { key: 'requests', title: 'Requests', down: true,
    compare: (a, b) => a.requests.length - b.requests.length },
];

const state = { users: [], query: '', onlyNew: false, sort: 'last', down: true, shown: CHUNK,
  open: new Set(), applications: new Map(), hasRequests: false };

const place = document.getElementById('users-body');
const count = document.getElementById('users-count');
const filter = document.getElementById('users-filter');
const search = document.getElementById('search');
const onlyNew = document.getElementById('only-new');

function read(user, byUser, known) {
  const id = user.objectId ?? user.upn ?? '';
  const requests = (id && byUser.get(id)) || [];
  const name = text.visible(user.upn ?? '') || '(without a name)';
  return {
    ...known(user), id, name, requests, tenant: text.visible(user.tenantId ?? ''),
    last: text.parse(user.lastNonMfaCompliantLoginDateTime),
    words: [name, id, user.tenantId, ...requests.map((one) => one.ipAddress)].join('\n')
      .toLowerCase(),
  };
}

function matching() {
  const query = state.query.trim().toLowerCase();
  const column = COLUMNS.find((one) => one.key === state.sort);
  return state.users
    .filter((user) => user.words.includes(query) && (!state.onlyNew || user.isNew))
    .sort((a, b) => (state.down ? -1 : 1) * column.compare(a, b)
      || collator.compare(a.name, b.name));
}

function sortBy(column) {
  state.down = state.sort === column.key ? !state.down : column.down ?? false;
  state.sort = column.key;
  render();
  place.querySelector(`button[data-sort="${column.key}"]`).focus();
}

function headCell(column) {
  const sorted = state.sort === column.key;
  const title = element('span', {}, column.title,
    column.more ? element('span', { class: 'wide' }, column.more) : null);
  const button = element('button', { type: 'button', class: 'sort', 'data-sort': column.key },
    title, icon(ARROW));
  button.addEventListener('click', () => sortBy(column));
  return element('th', { scope: 'col', class: `col-${column.key}`,
    'aria-sort': sorted ? (state.down ? 'descending' : 'ascending') : undefined }, button);
}

const applicationOf = (request) => state.applications.get(request.applicationId)
  || (request.applicationId ? `${request.applicationId.slice(0, 8)}…` : 'unknown');

function requestRow(request) {
  const date = text.parse(request.requestDateTime);
  return [date ? time(date, text.at(date), text.utc(date)) : '',
    breakable(text.visible(request.operationName ?? '')), text.visible(applicationOf(request)),
    element('span', { class: 'address' }, breakable(text.visible(request.ipAddress ?? '')))];
}

function requestsOf(user) {
  if (user.requests.length === 0) {
    return element('p', { class: 'muted' }, state.hasRequests
      ? 'The service lists no request of this user: the sign-in was to the portal, or is older.'
      : 'The requests are not available now.');
  }
  return element('div', { class: 'requests' }, table(`Requests of ${user.name} without MFA`,
    ['When', 'Operation', 'Application', 'Address'],
    user.requests.slice(0, CHUNK).map(requestRow)));
}

// What a user's state adds to the name: nothing, if the user has to act.
function marks({ person }) {
  const words = [];
  if (person?.exception) words.push(`excepted until ${text.visible(person.exception.until)}`);
  if (person?.state && person.state !== 'open') words.push(text.visible(person.state));
  return words.map((word) => element('span', { class: 'mark' }, word));
}

const fact = (name, ...values) => element('div', {}, element('dt', {}, name),
  element('dd', {}, ...values));

function timeOf(value) {
  const date = text.parse(value);
  return date ? time(date, text.at(date), text.utc(date)) : text.visible(value ?? '');
}

// What pcapi watch knows of a user.
function knownOf({ person }) {
  if (!person) return null;
  const { exception, application } = person;
  return element('dl', { class: 'known' },
    fact('State', text.visible(person.state ?? '')),
    fact('Since', timeOf(person.since)),
    person.mfa_since ? fact('With MFA since', timeOf(person.mfa_since)) : null,
    application ? fact('Application', breakable(text.visible(application.name ?? application.id)))
      : null,
    exception ? fact('Exception', `until ${text.visible(exception.until ?? '')}: `,
      text.visible(exception.why ?? '')) : null,
    fact('Next step', text.visible(person.step ?? '')));
}

function detailsRow(user, id) {
  return element('tr', { id, class: 'details' }, element('td', { colSpan: COLUMNS.length },
    element('dl', { class: 'ids' },
      element('div', {}, element('dt', {}, 'Object id'), element('dd', {}, text.visible(user.id))),
      element('div', {}, element('dt', {}, 'Tenant id'), element('dd', {}, user.tenant))),
    knownOf(user), requestsOf(user)));
}

function toggle(user, button, row, id) {
  const opens = !state.open.has(user.id);
  state.open[opens ? 'add' : 'delete'](user.id);
  button.setAttribute('aria-expanded', String(opens));
  if (opens) row.after(detailsRow(user, id));
  else document.getElementById(id)?.remove();
}

function lastCell(user) {
  if (!user.last) return element('td', { class: 'col-last muted' }, 'unknown');
  return element('td', { class: 'col-last' },
    time(user.last, text.at(user.last), text.utc(user.last)),
    element('span', { class: 'muted ago' }, text.ago(user.last)));
}

function rowsOf(user, index) {
  const id = `details-${index}`;
  const isOpen = state.open.has(user.id);
  const button = element('button', { type: 'button', class: 'user', 'aria-expanded': String(isOpen),
    'aria-controls': id, 'data-user': user.id }, icon(CHEVRON), breakable(user.name));
  const row = element('tr', {},
    element('th', { scope: 'row', class: 'col-name' }, button, ' ',
      user.badge ? element('span', { class: 'badge' }, user.badge) : null, ...marks(user)),
    lastCell(user),
    element('td', { class: 'col-requests number' },
      state.hasRequests ? text.number(user.requests.length) : '–'));
  button.addEventListener('click', () => toggle(user, button, row, id));
  return isOpen ? [row, detailsRow(user, id)] : [row];
}

function more(total) {
  const next = Math.min(CHUNK, total - state.shown);
  if (next <= 0) return null;
  const button = element('button', { type: 'button', class: 'plain' }, `Show ${next} more`);
  button.addEventListener('click', () => {
    state.shown += CHUNK;
    render();
  });
  return element('p', { class: 'more' }, button);
}

function noMatch() {
  const button = element('button', { type: 'button', class: 'plain' }, 'Show all users');
  button.addEventListener('click', () => {
    search.value = '';
    onlyNew.checked = false;
    Object.assign(state, { query: '', onlyNew: false });
    render();
    search.focus();
  });
  const query = state.query.trim();
  return element('div', { class: 'state' },
    element('p', {}, query ? `No user matches “${query}”.` : 'No user is new.'), button);
}

function say(found) {
  const all = text.plural(state.users.length, 'user', 'users');
  count.textContent = found === state.users.length ? all : `${text.number(found)} of ${all}`;
}

// Renders the table. The focus stays on the same user.
function render() {
  const focused = document.activeElement.dataset?.user;
  const users = matching();
  say(users.length);
  if (users.length === 0) {
    place.replaceChildren(noMatch());
    return;
  }
  place.replaceChildren(
    element('table', { class: 'users' },
      element('caption', { class: 'hidden' }, 'Users who signed in without MFA in the last 7 days'),
      element('thead', {}, element('tr', {}, ...COLUMNS.map(headCell))),
      element('tbody', {}, ...users.slice(0, state.shown).flatMap(rowsOf))),
    more(users.length) ?? '');
  if (focused !== undefined) {
    [...place.querySelectorAll('[data-user]')].find((one) => one.dataset.user === focused)?.focus();
  }
}

function noUsers() {
  count.textContent = '';
  filter.hidden = true;
  place.replaceChildren(element('div', { class: 'state good' }, icon(CHECK),
    element('p', {}, 'No user signed in without MFA in the last 7 days.')));
}

function grouped(requests) {
  const byUser = new Map();
  for (const request of requests) {
    const id = request.objectId ?? request.upn ?? '';
    if (!byUser.has(id)) byUser.set(id, []);
    byUser.get(id).push(request);
  }
  return byUser;
}

// Shows the users. The other lists may be missing.
export function show(users, requests, adoption, history) {
  place.setAttribute('aria-busy', 'false');
  const byUser = grouped(requests?.items ?? []);
  state.hasRequests = requests !== undefined;
  state.applications = new Map((adoption?.applications ?? []).map((one) => [one.id, one.name]));
  const known = past.reader(history);
  state.users = users.items.map((user) => read(user, byUser, known));
  if (state.users.length === 0) {
    noUsers();
    return;
  }
  filter.hidden = false;
  onlyNew.closest('label').hidden = !past.since(history);
  render();
}

// Shows the error in place of the list.
export function showError(panel) {
  place.setAttribute('aria-busy', 'false');
  count.textContent = '';
  filter.hidden = true;
  place.replaceChildren(panel);
}

filter.addEventListener('submit', (event) => event.preventDefault());
search.addEventListener('input', () => {
  Object.assign(state, { query: search.value, shown: CHUNK });
  render();
});
onlyNew.addEventListener('change', () => {
  Object.assign(state, { onlyNew: onlyNew.checked, shown: CHUNK });
  render();
});
