// The rows of the table of users: a user, and what is known of the user.
import { breakable, element, icon, table, time } from './dom.js';
import * as text from './text.js';

const MOST = 100; // requests of a user that are shown
const CHEVRON = 'M7.5 5.5 12 10l-4.5 4.5';

const nameOf = (request, applications) => applications.get(request.applicationId)
  || (request.applicationId ? `${request.applicationId.slice(0, 8)}…` : 'unknown');

const requestRow = (applications) => (request) => {
  const date = text.parse(request.requestDateTime);
  return [date ? time(date, text.at(date), text.utc(date)) : '',
    breakable(text.visible(request.operationName ?? '')),
    text.visible(nameOf(request, applications)),
    element('span', { class: 'address' }, breakable(text.visible(request.ipAddress ?? '')))];
};

function requestsOf(user, { applications, hasList, hasRequests }) {
  if (!hasList) return null;
  if (user.requests.length === 0) {
    return element('p', { class: 'muted' }, hasRequests
      ? 'The service lists no request of this user: the sign-in was to the portal, or is older.'
      : 'The requests are not available now.');
  }
  return element('div', { class: 'requests' }, table(`Requests of ${user.name} without MFA`,
    ['When', 'Operation', 'Application', 'Address'],
    user.requests.slice(0, MOST).map(requestRow(applications))));
}

// What a user's state adds to the name: nothing, if the user has to act.
function marks({ person, isListed }, { hasList }) {
  const words = [];
  if (person?.exception) words.push(`excepted until ${text.visible(person.exception.until ?? '')}`);
  if (person?.state && person.state !== 'open') words.push(text.visible(person.state));
  if (hasList && person && !isListed && !person.closed) words.push('not listed now');
  if (person?.told === false) words.push('not reported yet');
  return words.map((word) => element('span', { class: 'mark' }, word));
}

function timeOf(value) {
  const date = text.parse(value);
  return date ? time(date, text.at(date), text.utc(date)) : text.visible(value ?? '');
}

// Since when, and what to do, below the name.
function finding({ person }) {
  if (!person) return null;
  return element('span', { class: 'finding muted' },
    person.of ? element('bdi', {}, person.of) : null, person.of ? ' · ' : null,
    'since ', timeOf(person.since), person.step ? ' · ' : null,
    person.step ? breakable(text.visible(person.step)) : null);
}

const fact = (name, ...values) => element('div', {}, element('dt', {}, name),
  element('dd', {}, ...values));

// What pcapi watch knows of a user.
function knownOf({ person }) {
  if (!person) return null;
  const { exception, application } = person;
  return element('dl', { class: 'known' },
    fact('State', text.visible(person.state ?? '')),
    fact('Since', timeOf(person.since)),
    person.mfa_since ? fact('With MFA since', timeOf(person.mfa_since)) : null,
    person.closed ? fact('Closed', timeOf(person.closed)) : null,
    application ? fact('Application', breakable(text.visible(application.name ?? application.id)))
      : null,
    exception ? fact('Exception', `until ${text.visible(exception.until ?? '')}: `,
      text.visible(exception.why ?? '')) : null,
    fact('Next step', text.visible(person.step ?? '')));
}

const idFact = (name, value) => (value ? element('div', {}, element('dt', {}, name),
  element('dd', {}, value)) : null);

function detailsRow(user, id, facts) {
  return element('tr', { id, class: 'details' }, element('td', { colSpan: facts.columns },
    element('dl', { class: 'ids' }, idFact('Object id', text.visible(user.id)),
      idFact(facts.hasList ? 'Tenant id' : 'Tenant', user.tenant)),
    knownOf(user), requestsOf(user, facts)));
}

function lastCell(user) {
  if (!user.last) return element('td', { class: 'col-last muted' }, 'unknown');
  return element('td', { class: 'col-last' },
    time(user.last, text.at(user.last), text.utc(user.last)),
    element('span', { class: 'muted ago' }, text.ago(user.last)));
}

function toggle(user, button, row, facts) {
  const opens = !facts.open.has(user.id);
  const id = button.getAttribute('aria-controls');
  facts.open[opens ? 'add' : 'delete'](user.id);
  button.setAttribute('aria-expanded', String(opens));
  if (opens) row.after(detailsRow(user, id, facts));
  else document.getElementById(id)?.remove();
}

// Returns a function that makes the rows of a user. `facts` are `columns` (their number), `open` (the
// set of ids whose details are shown), `applications` (names by id), `hasList` (false: only the
// history knows these users) and `hasRequests`.
export const maker = (facts) => (user, index) => {
  const id = `details-${index}`;
  const isOpen = facts.open.has(user.id);
  const button = element('button', { type: 'button', class: 'user', 'aria-expanded': String(isOpen),
    'aria-controls': id, 'data-user': user.id }, icon(CHEVRON), breakable(user.name));
  const row = element('tr', { 'aria-rowindex': String(index + 2) },
    element('th', { scope: 'row', class: 'col-name' }, button, ' ',
      user.badge ? element('span', { class: 'badge' }, user.badge) : null,
      ...marks(user, facts), finding(user)),
    lastCell(user),
    facts.hasList ? element('td', { class: 'col-requests number' },
      facts.hasRequests ? text.number(user.requests.length) : '–') : null);
  button.addEventListener('click', () => toggle(user, button, row, facts));
  return isOpen ? [row, detailsRow(user, id, facts)] : [row];
};
