// What pcapi watch knows of the users, from /api/history: who is new, the state, and what to do.
import * as text from './text.js';

const NEW = ['new', 'back', 'ended']; // these count as new
const BADGES = { new: 'new', back: 'back', ended: 'exception ended', again: 'again' };
const DAY = 86400 * 1000;

const lower = (value) => (value ?? '').toLowerCase();

const earliest = (values) => values.filter((one) => one !== undefined)
  .reduce((a, b) => (a === undefined || b < a ? b : a), undefined);

function sumOf(objects) {
  const sum = {};
  for (const object of objects) {
    for (const [name, value] of Object.entries(object)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}

const TREND = ['open', 'opened', 'fixed', 'gone'];

// All trends end on the day of the file; that of a tenant begins with its first run.
function trendOf(trends) {
  const longest = trends.reduce((a, b) => (a && a.open.length >= b.open.length ? a : b), undefined);
  if (!longest) return undefined;
  const sum = { from: longest.from };
  for (const name of TREND) {
    sum[name] = longest[name].map((_, i) => trends.reduce((total, trend) => total
      + (trend[name][trend[name].length - longest[name].length + i] ?? 0), 0));
  }
  return sum;
}

export const nameOf = ({ id, label }) => text.visible(label || id || '');

// Several tenants as one.
function joined(tenants) {
  const failed = tenants.filter((one) => one.failure);
  return {
    people: tenants.flatMap((one) => one.people.map((person) => ({ ...person, of: nameOf(one) }))),
    counts: sumOf(tenants.map((one) => one.counts ?? {})),
    trend: trendOf(tenants.map((one) => one.trend).filter(Boolean)),
    new_since: earliest(tenants.map((one) => one.new_since)),
    last_success: earliest(tenants.map((one) => one.last_success)),
    more_people: tenants.reduce((sum, one) => sum + (one.more_people ?? 0), 0),
    failure: failed[0]?.failure, failed: failed.map(nameOf),
  };
}

// The history as one view: of a tenant, or of all. Without a history it has no people.
export function viewOf(response) {
  if (!response) return undefined;
  const { configured, error, as_of: asOf, tenants } = response;
  if (!tenants) return { configured, error, as_of: asOf };
  return { ...(tenants.length === 1 ? tenants[0] : joined(tenants)), configured, error, as_of: asOf };
}

// A map of people by a field; the newest come first.
function mapOf(people, field) {
  const map = new Map();
  for (const person of people) {
    const key = lower(person[field]);
    if (key && !map.has(key)) map.set(key, person);
  }
  return map;
}

const time = (value) => text.parse(value)?.getTime() ?? 0;

// Whether a user came after the last run: the history does not know the user, or as gone.
function isUnknown(history, person, last) {
  if (person) return person.closed !== undefined && last > time(person.last);
  return history.more_people === 0 && history.lists?.users === 'whole';
}

// With what new users are compared; undefined if there is nothing.
export const since = (history) => (history?.people
  ? history.new_since ?? history.last_success : undefined);

// What the history says of one of its people.
export const known = (person) => ({ person, isNew: NEW.includes(person.news),
  badge: BADGES[person.news] });

// Returns a function that gives for a user of the list `isNew`, `badge`, and `person` (undefined if
// nothing is known), or `before`: the person as gone. Without a history, no user is new.
export function reader(history) {
  if (!history?.people) return () => ({ isNew: false });
  const byId = mapOf(history.people, 'objectId');
  const byUser = mapOf(history.people.filter((one) => !one.objectId), 'user');
  return (user) => {
    const person = byId.get(lower(user.objectId)) ?? byUser.get(lower(user.upn));
    const last = time(user.lastNonMfaCompliantLoginDateTime);
    if (isUnknown(history, person, last)) {
      return { before: person, isNew: true, badge: person ? 'back' : 'new' };
    }
    return person ? known(person) : { isNew: false };
  };
}

// The number of users of the list who are new; undefined if there is nothing to compare with.
export function countNew(users, history) {
  if (!since(history)) return undefined;
  const read = reader(history);
  return users.items.filter((user) => read(user).isNew).length;
}

// How many of the people no reader of pcapi watch was told of.
export const countUntold = (history) => history.people.filter((one) => one.told === false).length;

const FAILED = 'The last run of pcapi watch failed';
const OLD = 'pcapi watch has not run since then';

function failureOf({ failure, failed }) {
  const [first, ...others] = failed ?? [];
  const of = first ? ` for ${first}${others.length > 0 ? ` and ${others.length} more` : ''}` : '';
  return { message: `${FAILED}${of}: ${failure.kind}, since ${failure.since}.`,
    hint: 'Run pcapi watch, which says why.' };
}

// Why the history is not up to date; undefined if it is.
export function problem(history) {
  if (!history?.configured) return undefined;
  if (history.error) return history.error;
  if (history.failure) return failureOf(history);
  if (history.last_success && Date.now() - time(history.last_success) > 2 * DAY) {
    return { message: `${OLD}.`, hint: 'Check the job that runs it.' };
  }
  return undefined;
}
