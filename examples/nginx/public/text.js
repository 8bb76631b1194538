// Formats numbers, times and texts from outside.

// Made once, since that is slow.
const numbers = new Intl.NumberFormat('en');
const [percents, finePercents] = [0, 1].map((digits) => new Intl.NumberFormat('en',
  { style: 'percent', maximumFractionDigits: digits }));

export const number = (value) => numbers.format(value);

export const percent = (share) => (share > 0.99 && share < 1 ? finePercents : percents).format(share);

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

// Shows invisible characters, and those that change the direction of the text, as codes.
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0).toString(16)}}`);
}

// The service writes UTC without a zone. Some browsers accept three digits of a second at most.
export function parse(text) {
  if (!/^\d{4}-\d\d-\d\d/.test(text ?? '')) return undefined; // browsers read "0.5" as a date
  const cut = text.replace(/(\.\d{3})\d+/, '$1');
  const date = new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(cut) || !cut.includes('T') ? cut : `${cut}Z`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

const moment = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', hour: '2-digit',
  minute: '2-digit' });
const dayOnly = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short',
  timeZone: 'UTC' });
const weekdayOnly = new Intl.DateTimeFormat('en-GB', { weekday: 'short', timeZone: 'UTC' });

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

export const at = (date) => moment.format(date);
// a time of today has no date
export function lately(date) {
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? clock : moment).format(date);
}
export const utc = (date) => `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
export const day = (date) => dayOnly.format(date);
export const weekday = (date) => weekdayOnly.format(date);

const UNITS = [['days', 86400], ['h', 3600], ['min', 60]];

// "2 h ago"
export function ago(date, now = Date.now()) {
  const seconds = Math.max(0, (now - date.getTime()) / 1000);
  const [unit, size] = UNITS.find(([, one]) => seconds >= one) ?? [];
  if (!unit) return 'just now';
  const count = Math.floor(seconds / size);
  return `${count} ${count === 1 && unit === 'days' ? 'day' : unit} ago`;
}
