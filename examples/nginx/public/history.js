// What pcapi watch knows of the users, from /api/history: who is new, the state, and what to do.
import * as text from './text.js';

const NEW = ['new', 'back', 'ended']; // these count as new
const BADGES = { new: 'new', back: 'back', ended: 'exception ended', again: 'again' };
const DAY = 86400 * 1000;

const lower = (value) => (value ?? '').toLowerCase();

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

// Returns a function that gives for a user of the list `isNew`, `badge`, and `person` (undefined if
// nothing is known). Without a history, no user is new.
export function reader(history) {
  if (!history?.people) return () => ({ isNew: false });
  const byId = mapOf(history.people, 'objectId');
  const byUser = mapOf(history.people.filter((one) => !one.objectId), 'user');
  return (user) => {
    const person = byId.get(lower(user.objectId)) ?? byUser.get(lower(user.upn));
    const last = time(user.lastNonMfaCompliantLoginDateTime);
    if (isUnknown(history, person, last)) {
      return { isNew: true, badge: person ? 'back' : 'new' };
    }
    return { person, isNew: NEW.includes(person?.news), badge: BADGES[person?.news] };
  };
}

// The number of users of the list who are new; undefined if there is nothing to compare with.
export function countNew(users, history) {
  if (!since(history)) return undefined;
  const read = reader(history);
  return users.items.filter((user) => read(user).isNew).length;
}

const FAILED = 'The last run of pcapi watch failed';
const OLD = 'pcapi watch has not run since then';

// Why the history is not up to date; undefined if it is.
export function problem(history) {
  if (!history?.configured) return undefined;
  if (history.error) return history.error;
  if (history.failure) {
    return { message: `${FAILED}: ${history.failure.kind}, since ${history.failure.since}.`,
      hint: 'Run pcapi watch, which says why.' };
  }
  if (history.last_success && Date.now() - time(history.last_success) > 2 * DAY) {
    return { message: `${OLD}.`, hint: 'Check the job that runs it.' };
  }
  return undefined;
}
