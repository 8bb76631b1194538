// Starts the page, with the sandbox as its service, and a browser for the specs.
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const LUA = process.env.LUA || 'lua5.4';
export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), '../..');
const CONF = join(REPOSITORY, 'examples/nginx/nginx.conf');
const DAY = 86400 * 1000;

// A token for the sandbox. It holds the scenario that the sandbox plays: see sandbox/README.md.
export function token(scenario = '', more = []) {
  return execFileSync(LUA, ['sandbox/token.lua', `scenario=${scenario}`, ...more],
    { cwd: REPOSITORY, encoding: 'utf8' }).trim();
}

// The users that the sandbox lists, over its port without TLS.
export async function usersOf(bearer) {
  const response = await fetch(
    `${process.env.PCAPI_SANDBOX_HTTP_URL}/v1/nonMfaCompliantPartnerPrincipals`,
    { headers: { Authorization: `Bearer ${bearer}`, Accept: 'application/json' } });
  return JSON.parse((await response.text()).replace(/^\uFEFF/, '')).items;
}

// Writes the summary file of a history: `runs` of one tenant as spec/browser/summary.lua takes them.
// Returns its path.
function writeSummary(directory, runs, bearer) {
  const path = join(directory, 'summary.json');
  const { tid } = JSON.parse(Buffer.from(bearer.split('.')[1], 'base64url'));
  chmodSync(directory, 0o755);
  execFileSync(LUA, ['spec/browser/summary.lua'], { cwd: REPOSITORY, input: JSON.stringify({
    path, now: seconds(), runs: runs.map((run) => ({ tenant: tid, ...run })) }) });
  return path;
}

const seconds = (daysAgo = 0) => Math.floor((Date.now() - daysAgo * DAY) / 1000);

// A run of pcapi watch, so many days ago, with these users of the sandbox.
export function run(daysAgo, people, more = {}) {
  const at = seconds(daysAgo);
  const last = (one) => Date.parse(`${one.lastNonMfaCompliantRequestDateTime.slice(0, 19)}Z`) / 1000;
  return { at, users: people.map((one) => ({ id: one.objectId, upn: one.upn,
    at: Math.min(last(one), at - 60) })), ...more };
}

function configuration(directory, edit) {
  const text = readFileSync(CONF, 'utf8');
  writeFileSync(join(directory, 'page.conf'), edit ? edit(text) : text);
  return join(directory, 'page.conf');
}

function addressOf(child) {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(() => reject(new Error(`no address within 20 s: ${said}`)), 20000);
    const done = (act, value) => {
      clearTimeout(timer);
      act(value);
    };
    child.stderr.on('data', (piece) => { said += piece; });
    child.stdout.on('data', (piece) => {
      said += piece;
      const [, url] = said.match(/(http:\/\/\S+:\d+)\//) ?? [];
      if (url) done(resolve, url);
    });
    child.on('exit', (status) => done(reject, new Error(`ended with ${status}: ${said}`)));
  });
}

// Starts the page. `scenario` is for the sandbox, `env` for nginx, `runs` for the history, and `edit`
// changes nginx.conf.
export async function start({ scenario, env = {}, runs, edit } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'pcapi-browser.'));
  // cat ends when its input is closed, also if this process is killed; the page ends with cat
  const command = ['sh', '-c', 'echo $PCAPI_PAGE_URL/; exec cat'];
  const bearer = token(scenario);
  const summary = runs ? { PCAPI_SUMMARY: writeSummary(directory, runs, bearer) } : {};
  const child = spawn(join(REPOSITORY, 'examples/nginx/run'), command, {
    env: { ...process.env, PCAPI_TOKEN: bearer, ...summary, ...env,
      PCAPI_PAGE_CONF: configuration(directory, edit), PCAPI_PAGE_PORT: 'any' },
    stdio: 'pipe',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async () => { // once or twice
    child.stdin.end();
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    return { url: await addressOf(child), stop, summary: summary.PCAPI_SUMMARY };
  } catch (error) {
    await stop();
    throw error;
  }
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
}

// Opens the page and waits until it has loaded. `complaints` collects its console and its errors.
// With `clock`, only page.clock moves its time.
export async function open(browser, url, how = {}) {
  const { width = 1280, height = 900, theme = 'light', clock = false } = how;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme,
    timezoneId: 'Europe/Berlin', reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error.stack)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  if (clock) await page.clock.install();
  await page.goto(url);
  await page.locator('body:not(:has([aria-busy="true"]))').waitFor({ timeout: 60000 })
    .catch((error) => { throw new Error(`${error.message} ${complaints.join('\n')}`); });
  return { page, complaints, close: () => context.close() };
}

// The serious and critical findings of axe-core, in a few words.
export async function complaintsOfAxe(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return violations.filter((one) => ['serious', 'critical'].includes(one.impact))
    .map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`);
}
