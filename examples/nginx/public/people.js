// The people of the table: the users of the list, with what the history knows of them, and those
// whom only the history knows.
import * as past from './history.js';
import { map, sorted } from './slices.js';
import * as text from './text.js';

const collator = new Intl.Collator('en', { sensitivity: 'base', numeric: true });

// Which people to show, by the choice of the page.
export const GROUPS = {
  now: (one) => one.isListed,
  open: ({ person }) => person?.state === 'open' && !person.exception,
  healing: ({ person }) => person?.state === 'healing',
  excepted: ({ person }) => person?.exception !== undefined && !person.closed,
  closed: ({ person }) => person?.closed !== undefined,
  all: () => true,
};

const wordsOf = (...words) => words.filter(Boolean).join('\n').toLowerCase();

function make({ id, name, tenant, last, requests = [], isListed }, known) {
  const { person } = known;
  const shown = text.visible(name ?? '') || '(without a name)';
  return {
    ...known, id, name: shown, tenant: text.visible(tenant ?? ''), last: text.parse(last), requests,
    isListed,
    words: wordsOf(shown, id, tenant, ...requests.map((one) => one.ipAddress), person?.of,
      person?.state, person?.application?.name, person?.step, person?.exception?.why),
  };
}

const idOf = (one) => one.objectId ?? one.upn ?? one.user ?? '';

function ofUser(user, byUser, known) {
  const id = idOf(user);
  return make({ id, name: user.upn, tenant: user.tenantId, requests: (id && byUser.get(id)) || [],
    last: user.lastNonMfaCompliantLoginDateTime, isListed: true }, known);
}

// Without a list, those who are not gone count as listed.
const ofPerson = (person, hasList) => make({ id: idOf(person), name: person.user, tenant: person.of,
  last: person.last, isListed: !hasList && person.closed === undefined }, past.known(person));

function grouped(requests) {
  const byUser = new Map();
  for (const request of requests) {
    const id = request.objectId ?? request.upn ?? '';
    if (!byUser.has(id)) byUser.set(id, []);
    byUser.get(id).push(request);
  }
  return byUser;
}

// Returns the people, with their `rank` by name. `users` is missing for another tenant.
export async function of(users, requests, history) {
  const byUser = grouped(requests?.items ?? []);
  const read = past.reader(history);
  const listed = new Set();
  const people = await map(users?.items ?? [], (user) => {
    const known = read(user);
    listed.add(known.person ?? known.before);
    return ofUser(user, byUser, known);
  });
  const others = (history?.people ?? []).filter((person) => !listed.has(person));
  const more = await map(others, (person) => ofPerson(person, users !== undefined));
  const all = await sorted(people.concat(more), (a, b) => collator.compare(a.name, b.name));
  all.forEach((one, rank) => { one.rank = rank; });
  return all;
}
