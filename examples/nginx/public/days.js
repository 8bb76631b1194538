// Adds up the rows of days and applications.
import * as text from './text.js';

const DAY = 86400 * 1000;
const MOST = 60; // days in a chart

const key = (date) => date.toISOString().slice(0, 10);
const keyOf = (row) => (row.loginDate ?? '').slice(0, 10);

// Every day from the first to the last, with or without requests.
export function daysOf(items) {
  const times = items.map((row) => text.parse(keyOf(row))?.getTime())
    .filter((at) => at !== undefined && at < Date.now() + 2 * DAY); // a day in the year 9999 would hide the others
  if (times.length === 0) return [];
  const last = times.reduce((a, b) => Math.max(a, b));
  const first = Math.max(times.reduce((a, b) => Math.min(a, b)), last - (MOST - 1) * DAY);
  return Array.from({ length: (last - first) / DAY + 1 }, (_, i) => new Date(first + i * DAY));
}

// The requests of each day: those with MFA, and all.
export function sumsOf(items, days) {
  const sums = new Map(days.map((date) => [key(date), { mfa: 0, total: 0 }]));
  for (const row of items) {
    const sum = sums.get(keyOf(row));
    if (sum) {
      const mfa = row.mfaCompliantRequestCount ?? 0; // part of the total, even if that is smaller
      sum.mfa += mfa;
      sum.total += Math.max(row.totalRequestCount ?? 0, mfa);
    }
  }
  return [...sums.values()];
}

export function whole(sums) {
  const add = (a, b) => ({ mfa: a.mfa + b.mfa, total: a.total + b.total });
  return sums.reduce(add, { mfa: 0, total: 0 });
}

// There is no share without requests.
export const share = (sum) => (sum.total > 0 ? sum.mfa / sum.total : null);
export const shareText = (sum) => (sum.total > 0 ? text.percent(share(sum)) : 'no requests');
export const nameOf = (date) => `${text.weekday(date)} ${text.day(date)}`;
