// The four numbers at the top, and what each of them counts.
import { daysOf } from './days.js';
import * as past from './history.js';
import * as text from './text.js';

function set(id, strong, small, explained) {
  const place = document.getElementById(`tile-${id}`);
  const value = place.querySelector('strong');
  value.className = '';
  value.textContent = strong;
  place.querySelector('small').textContent = small;
  document.getElementById(`counts-${id}`).textContent = explained ?? 'Not available now.';
}

const NONE = '–';
const MISSING = 'Not available now';
const NOT_HERE = 'Of the tenant of this page only';

const momentOf = (value) => {
  const date = text.parse(value);
  return date ? text.at(date) : 'unknown';
};

function nameNew(history) {
  const since = past.since(history);
  document.getElementById('tile-new-name').textContent = since
    ? `New since ${momentOf(since)}` : 'New';
  return since;
}

function showNew(count, history) {
  if (!nameNew(history) || count === undefined) {
    set('new', NONE, 'Not known without pcapi watch',
      'Only a history says who is new: pcapi watch, see docs/nginx.md.');
    return;
  }
  const untold = past.countUntold(history);
  const told = untold > 0 ? `; ${text.number(untold)} not reported yet` : '';
  set('new', text.number(count),
    (count === 0 ? 'Every user was known before' : 'Not known before, or back') + told,
    `Users who came, came back, or whose exception ended, since ${momentOf(past.since(history))}: `
    + 'the last run of pcapi watch that was at least 20 hours before the newest. Also those whom '
    + 'pcapi watch has not reported yet. Users with an exception do not count.');
}

const MORE = 'The newest ones; there may be more';
const USERS = 'Users whom the service lists: in the last 7 days they signed in to the portal without '
  + 'MFA, or a program called Partner Center for them without MFA.';

function showUsers(users, history) {
  if (users) {
    set('users', text.number(users.count), users.truncated ? MORE : 'In the last 7 days', USERS);
    showNew(past.countNew(users, history), history);
  } else {
    set('users', NONE, MISSING);
    set('new', NONE, MISSING);
    nameNew(history);
  }
}

function showRequests(requests) {
  if (!requests) {
    set('requests', NONE, MISSING);
    return;
  }
  const more = requests.truncated ? '; it was cut, so there may be more' : '';
  set('requests', text.number(requests.count),
    requests.truncated ? MORE : 'Listed one by one, last 7 days',
    'Single calls without MFA. The service lists the newest 10,000 calls of the last 7 days, with '
    + `MFA and without; ${text.number(requests.count)} of them are without${more}. Sign-ins to the `
    + 'portal are not in this list.');
}

function showAdoption(adoption) {
  if (adoption?.ratio === undefined) {
    set('adoption', NONE, adoption ? 'There were no requests' : MISSING,
      adoption ? 'The service counted no requests.' : undefined);
    return;
  }
  const { with_mfa: mfa, total } = adoption;
  const days = daysOf(adoption.items);
  const period = days.length > 0 ? ` from ${text.day(days[0])} to ${text.day(days.at(-1))}` : '';
  set('adoption', text.percent(adoption.ratio),
    `${text.number(mfa)} of ${text.number(total)}, as the service counts`,
    `The service also counts all requests per day and application. Added up${period}: `
    + `${text.number(total)} requests, ${text.number(mfa)} of them with MFA, so `
    + `${text.number(total - mfa)} without. This is not limited to the newest 10,000 calls, so it `
    + 'need not agree with the list of calls.');
}

// Another tenant, or all: the history alone knows them.
function showHistory(history) {
  set('requests', NONE, NOT_HERE, `${NOT_HERE}.`);
  set('adoption', NONE, NOT_HERE, `${NOT_HERE}.`);
  if (!history?.people) {
    showUsers(undefined, history);
    return;
  }
  const { counts = {} } = history;
  const sum = (counts.open ?? 0) + (counts.healing ?? 0) - (counts.excepted ?? 0);
  set('users', text.number(sum), `By pcapi watch, ${momentOf(history.last_success)}`,
    'Users with an open or healing finding of pcapi watch, without an exception.');
  showNew(counts.new ?? 0, history);
}

// Shows the lists; undefined stands for a missing list. `isOther`: the history is not that of the
// page's tenant.
export function show(users, requests, adoption, history, isOther) {
  if (isOther) {
    showHistory(history);
    return;
  }
  showUsers(users, history);
  showRequests(requests);
  showAdoption(adoption);
}
