// Makes elements. Everything from the service is inserted as text, never as markup.
import { number } from './text.js';

// Properties with a dash in their name, and `role`, become attributes; `class` is className.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === 'class') made.className = value;
    else if (name.includes('-') || name === 'role') made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

// A text that may wrap after / @ and :, and before the dots of a domain.
export function breakable(text) {
  const parts = text.split(/(?<=[/@:])|(?<=@[^@]*)(?=\.)/);
  return element('bdi', {}, ...parts.flatMap((part, i) => (i > 0 ? [element('wbr'), part] : [part])));
}

const SVG = 'http://www.w3.org/2000/svg';

// A decorative icon, hidden from screen readers.
export function icon(path) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const shape = document.createElementNS(SVG, 'path');
  shape.setAttribute('d', path);
  svg.append(shape);
  return svg;
}

export function time(date, text, title) {
  return element('time', { dateTime: date.toISOString(), title }, text);
}

// A table with a head row. Cells are texts, elements, or numbers, which are aligned right.
export function table(caption, names, rows) {
  const kind = names.map((_, i) => (rows.some((row) => typeof row[i] === 'number')
    ? 'number' : undefined));
  const format = (cell) => (typeof cell === 'number' ? number(cell) : cell);
  const head = names.map((name, i) => element('th', { scope: 'col', class: kind[i] }, name));
  const rowOf = (row) => element('tr', {},
    ...row.map((cell, i) => element('td', { class: kind[i] }, format(cell))));
  return element('table', {},
    element('caption', { class: 'hidden' }, caption),
    element('thead', {}, element('tr', {}, ...head)),
    element('tbody', {}, ...rows.map(rowOf)));
}
