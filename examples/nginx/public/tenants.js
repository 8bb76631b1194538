// The choice of a tenant, if the history has several. The address of the page keeps it.
import { element } from './dom.js';
import * as past from './history.js';

const label = document.getElementById('tenant').closest('label');
const select = document.getElementById('tenant');
const LONGEST = 60; // characters of a name

// The chosen tenant: an id, or `all`; undefined: that of the page.
export const chosen = () => new URLSearchParams(location.search).get('tenant') || undefined;

function short(name) {
  const characters = [...name];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST).join('')}…` : name;
}

function options({ choices, own }) {
  const names = choices.map((one) => [one.id === own ? '' : one.id, short(past.nameOf(one))])
    .sort(([, a], [, b]) => a.localeCompare(b, 'en'));
  if (own === undefined) names.unshift(['', 'The tenant of this page']);
  if (choices.length > 1) names.unshift(['all', 'All tenants']);
  return names;
}

const textOf = (list) => [...list].map((one) => `${one.value} ${one.text}`).join('\n');

// Shows the tenants of a response of /api/history.
export function show(response) {
  const { choices = [], own } = response ?? {};
  const isOnly = choices.length === 0 || (choices.length === 1 && own !== undefined);
  label.hidden = isOnly && chosen() === undefined;
  const names = options({ choices, own });
  if (chosen() !== undefined && !names.some(([id]) => id === chosen())) {
    names.push([chosen(), 'An unknown tenant']);
  }
  const made = names.map(([value, name]) => element('option', { value }, name));
  // an open list would close
  if (textOf(made) !== textOf(select.options)) select.replaceChildren(...made);
  select.value = chosen() ?? '';
}

// Calls `changed` once the user has chosen another one.
export function setUp(changed) {
  select.addEventListener('change', () => {
    const query = select.value ? `?${new URLSearchParams({ tenant: select.value })}` : '';
    history.pushState(null, '', `/${query}`);
    changed();
  });
  addEventListener('popstate', changed);
}
