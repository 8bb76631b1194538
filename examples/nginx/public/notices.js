// Notices about lists that are old or missing, with the reason.
import { element } from './dom.js';
import * as text from './text.js';

const place = document.getElementById('notices');

// Stands in place of a missing list: what happened, and the next step.
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
  const since = oldest ? new Date(oldest) : undefined;
  const isHistory = names.includes('history');
  return element('div', { class: 'notice' },
    element('p', { class: 'state-title' }, since
      ? `Not up to date: ${what}, as of ${text.lately(since)}, ${text.ago(since)}.`
      : `Not available: ${what}.`),
    element('p', {}, `${isHistory ? '' : 'The last refresh failed: '}${text.visible(error.message)}`),
    error.hint ? element('p', { class: 'muted' }, text.visible(error.hint)) : null);
}

// Takes pairs of a name and a list with an error. Lists with the same error share a notice.
export function show(failed) {
  const groups = new Map();
  for (const [name, { as_of: asOf, error }] of failed) {
    const group = groups.get(error.message) ?? { names: [], oldest: asOf, error };
    group.names.push(name);
    if (asOf < group.oldest) group.oldest = asOf;
    groups.set(error.message, group);
  }
  const made = [...groups.values()].map((group) => notice(group.names, group.oldest, group.error));
  // a screen reader reads every change aloud, so replace only what differs
  const said = made.map((one) => one.textContent).join('');
  if (said !== place.textContent) place.replaceChildren(...made);
}
