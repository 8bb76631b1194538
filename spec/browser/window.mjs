// Windows on the page, and what the specs read in them. A file that imports this has one browser.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { launch, open, start, token, usersOf } from './page.mjs';

export let browser;
export let people; // the users of the sandbox

before(async () => {
  browser = await launch();
  people = await usersOf(token());
});
after(() => browser.close());

// Opens a window on the page. Its console may hold only what is expected.
export async function inWindow(server, act, { expected = /^$/, path = '/', ...how } = {}) {
  const window = await open(browser, server.url + path, how);
  try {
    await act(window.page, server);
    assert.deepEqual(window.complaints.filter((one) => !expected.test(one)), []);
  } finally {
    await window.close();
  }
}

// Opens a window on a page with its own server.
export async function inWindowOf(setup, act, how) {
  const server = await start(setup);
  try {
    await inWindow(server, act, how);
  } finally {
    await server.stop();
  }
}

export const TIME = 'lastNonMfaCompliantRequestDateTime';
export const names = (page) => page.locator('button.user').allTextContents();
export const tile = (page, id) => page.locator(`#tile-${id} strong`).textContent();
export const list = async (page, server, name) => (await page.request.get(`${server.url}/api/${name}`)).json();

export async function openAll(page) {
  await page.locator('button.user:visible, summary:visible').evaluateAll((all) => all.forEach((one) => one.click()));
}

export async function isAsWideAs(page, width) {
  const found = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.deepEqual(found, [width, width]);
}
