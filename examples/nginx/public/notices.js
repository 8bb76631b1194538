// What a person has to know about the data: that they are old, that they are missing, and why.
import { element } from './dom.js';
import * as text from './text.js';

const place = document.getElementById('notices');

// In place of a list that there is not: what happened, and the next step.
export function panel(title, error, tryAgain) {
  const button = element('button', { type: 'button', class: 'plain' }, 'Try again');
  button.addEventListener('click', tryAgain);
  return element('div', { class: 'state bad' },
    element('p', { class: 'state-title' }, title),
    element('p', {}, text.visible(error.message)),
    error.hint ? element('p', { class: 'muted' }, text.visible(error.hint)) : null,
    button);
}

function notice(names, oldest, error) {
  const what = names.join(', ').replace(/, ([^,]*)$/, ' and $1');
  const since = new Date(oldest);
  return element('div', { class: 'notice' },
    element('p', { class: 'state-title' },
      `Not up to date: ${what}, as of ${text.lately(since)}, ${text.ago(since)}.`),
    element('p', {}, `The service cannot be asked now: ${text.visible(error.message)}`),
    error.hint ? element('p', { class: 'muted' }, text.visible(error.hint)) : null);
}

// Takes pairs of a name and a list with an error; those that failed alike share a notice.
export function show(failed) {
  const groups = new Map();
  for (const [name, { as_of: asOf, error }] of failed) {
    const group = groups.get(error.message) ?? { names: [], oldest: asOf, error };
    group.names.push(name);
    if (asOf < group.oldest) group.oldest = asOf;
    groups.set(error.message, group);
  }
  const made = [...groups.values()].map((group) => notice(group.names, group.oldest, group.error));
  // a reader of screens says what changes; the same again is nothing new
  const said = made.map((one) => one.textContent).join('');
  if (said !== place.textContent) place.replaceChildren(...made);
}
