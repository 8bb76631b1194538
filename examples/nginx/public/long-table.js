// The rows of a long table: only those near the screen exist. They are in groups, each a <tbody>; a
// group far away is one empty row of its height.
import { element } from './dom.js';

const GROUP = 50; // rows
const NEAR = '900px 0px'; // around the screen
const ROW = 40; // pixels, until rows are measured

// Adds rows to a table: `rowsOf(item, i)` makes those of an item. Returns the functions `reveal(i)`,
// which makes the rows of an item wherever it is, and `remove()`.
export function fill(table, columns, items, rowsOf) {
  const groups = new Map(); // by <tbody>: its first item, its height, and whether it has rows
  let height = ROW;

  function space(body) {
    const group = groups.get(body);
    const cell = element('td', { colSpan: columns });
    const count = Math.min(GROUP, items.length - group.first);
    cell.style.height = `${group.height ?? count * height}px`;
    group.isFilled = false;
    body.replaceChildren(element('tr', { class: 'space', 'aria-hidden': 'true' }, cell));
  }

  function make(body) {
    const group = groups.get(body);
    if (group.isFilled) return;
    group.isFilled = true;
    body.replaceChildren(...items.slice(group.first, group.first + GROUP)
      .flatMap((item, i) => rowsOf(item, group.first + i)));
  }

  function look({ target, isIntersecting, boundingClientRect }) {
    if (isIntersecting) {
      make(target);
    } else if (groups.get(target).isFilled && !target.contains(document.activeElement)) {
      groups.get(target).height = boundingClientRect.height;
      space(target);
    }
  }

  const bodies = Array.from({ length: Math.ceil(items.length / GROUP) }, (_, i) => {
    const body = element('tbody');
    groups.set(body, { first: i * GROUP });
    return body;
  });
  const [first, ...others] = bodies;
  make(first);
  table.append(first);
  const observer = new IntersectionObserver((entries) => entries.forEach(look),
    { rootMargin: NEAR });
  return {
    // once the table is in the page, so that the first rows can be measured
    start() {
      height = first.getBoundingClientRect().height / first.rows.length || ROW;
      others.forEach(space);
      table.append(...others);
      if (others.length > 0) bodies.forEach((body) => observer.observe(body));
    },
    reveal(i) {
      make(bodies[Math.floor(i / GROUP)]);
    },
    remove() {
      observer.disconnect();
    },
  };
}
