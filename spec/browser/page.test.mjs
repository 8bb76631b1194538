// The page in a real browser, over the sandbox.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { complaintsOfAxe, launch, open, start, token, usersOf } from './page.mjs';

let browser;
let people;

before(async () => {
  browser = await launch();
  people = await usersOf(token());
});
after(() => browser.close());

// A window on the page; nothing may be in the console but what is expected there.
async function inWindow(server, act, { expected = /^$/, ...how } = {}) {
  const window = await open(browser, server.url, how);
  try {
    await act(window.page);
    assert.deepEqual(window.complaints.filter((one) => !expected.test(one)), []);
  } finally {
    await window.close();
  }
}

async function withServer(how, act) {
  const server = await start(how);
  try {
    await act(server);
  } finally {
    await server.stop();
  }
}

const names = (page) => page.locator('button.user').allTextContents();
const tile = (page, id) => page.locator(`#tile-${id} strong`).textContent();
const sorted = (list) => [...list].sort(new Intl.Collator('en', { sensitivity: 'base', numeric: true }).compare);
const byTime = () => [...people]
  .sort((a, b) => (a.lastNonMfaCompliantRequestDateTime < b.lastNonMfaCompliantRequestDateTime ? 1 : -1))
  .map((user) => user.upn);

const REFUSED = /^error: Failed to load resource: the server responded with a status of 503/;

describe('the page', () => {
  let server;

  before(async () => {
    server = await start({ yesterday: people.slice(3).map((user) => user.objectId) });
  });
  after(() => server.stop());

  it("shows the sandbox's users, the newest first", () => inWindow(server, async (page) => {
    assert.deepEqual(await names(page), byTime());
    assert.equal(await tile(page, 'users'), '25');
    assert.equal(await page.locator('#users-count').textContent(), '25 users');
  }));

  it('tells who is new since yesterday, and shows them alone', () => inWindow(server, async (page) => {
    assert.equal(await tile(page, 'new'), '3');
    assert.equal(await page.locator('#tile-new-name').textContent(), 'New since yesterday');
    assert.equal(await page.locator('.badge').count(), 3);
    await page.getByText('Only new').click();
    assert.deepEqual(await names(page), byTime().filter((name) => people.slice(0, 3).some((user) => user.upn === name)));
    assert.equal(await page.locator('#users-count').textContent(), '3 of 25 users');
  }));

  it('sorts by mouse', () => inWindow(server, async (page) => {
    await page.getByRole('button', { name: 'User', exact: true }).click();
    assert.deepEqual(await names(page), sorted(people.map((user) => user.upn)));
    await page.getByRole('button', { name: 'User', exact: true }).click();
    assert.deepEqual(await names(page), sorted(people.map((user) => user.upn)).reverse());
    assert.equal(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'descending');
    await page.getByRole('button', { name: 'Requests' }).click();
    const counts = (await page.locator('td.col-requests').allTextContents()).map(Number);
    assert.deepEqual(counts, counts.toSorted((a, b) => b - a));
  }));

  it('searches', () => inWindow(server, async (page) => {
    await page.getByRole('searchbox').fill('CONTOSO');
    const found = people.filter((user) => user.upn.includes('contoso')).map((user) => user.upn);
    assert.deepEqual(sorted(await names(page)), sorted(found));
    await page.getByRole('searchbox').fill(people[7].objectId);
    assert.deepEqual(await names(page), [people[7].upn]);
    await page.getByRole('searchbox').fill('nobody of that name');
    assert.deepEqual(await names(page), []);
    await page.getByRole('button', { name: 'Show all users' }).click();
    assert.equal((await names(page)).length, 25);
  }));

  it('does all that by keyboard', () => inWindow(server, async (page) => {
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('Tab');
    assert.equal(await focused(), 'Skip to the users');
    await press('Enter', 'Tab', 'Tab');
    await page.keyboard.type('fabrikam');
    assert.ok((await names(page)).every((name) => name.includes('fabrikam')));
    await press('Tab');
    assert.equal(await focused(), 'User');
    await press('Enter');
    assert.deepEqual(await names(page), sorted(await names(page)));
    assert.equal(await focused(), 'User');
    await press('Enter');
    assert.equal(await page.locator('th[aria-sort="descending"]').textContent(), 'User');
    await press('Tab', 'Tab', 'Tab');
    const [first] = await names(page);
    assert.equal(await focused(), first);
    await press('Space');
    assert.match(await page.locator('tr.details').textContent(), /Object id/);
    await press('Space');
    assert.equal(await page.locator('tr.details').count(), 0);
  }));

  it('tells what a user did without MFA', () => inWindow(server, async (page) => {
    const response = await page.request.get(`${server.url}/api/requests`);
    const { items } = await response.json();
    const { upn } = items[0];
    await page.getByRole('button', { name: upn }).click();
    const rows = page.locator('.requests tbody tr');
    assert.equal(await rows.count(), items.filter((request) => request.upn === upn).length);
    assert.ok((await rows.first().textContent()).includes(items[0].operationName));
    assert.ok((await rows.first().textContent()).includes(items[0].ipAddress));
  }));

  it('draws adoption per day and per application, and has it as tables', () => inWindow(server, async (page) => {
    const { items, applications, total, with_mfa: mfa } = await (await page.request.get(`${server.url}/api/adoption`)).json();
    assert.equal(await page.locator('.picture canvas').count(), 2);
    const label = await page.locator('#per-day [role=img]').getAttribute('aria-label');
    assert.ok(label.includes(`${mfa.toLocaleString('en')} of ${total.toLocaleString('en')} with MFA`), label);
    await page.locator('#per-day summary').click();
    assert.equal(await page.locator('#per-day tbody tr').count(), new Set(items.map((row) => row.loginDate)).size);
    await page.locator('#per-application summary').click();
    assert.deepEqual(await page.locator('#per-application tbody tr td:nth-child(2)').allTextContents(),
      applications.map((one) => one.total.toLocaleString('en')));
  }));

  it('is drawn, not left empty', () => inWindow(server, async (page) => {
    for (const place of ['#per-day', '#per-application']) {
      const colours = await page.locator(`${place} canvas`).evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      });
      assert.ok(colours > 10, place);
    }
  }));

  it('is dark where the system is, and where somebody says so, for good', () => inWindow(server, async (page) => {
    const isDark = () => page.evaluate(() => {
      const [red] = getComputedStyle(document.body).backgroundColor.match(/\d+/g);
      return red < 100;
    });
    assert.equal(await isDark(), false);
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.equal(await isDark(), true);
    await page.getByText('Light', { exact: true }).click();
    assert.equal(await isDark(), false);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.getByText('Dark', { exact: true }).click();
    assert.equal(await isDark(), true);
    await page.reload();
    assert.equal(await isDark(), true);
  }));

  for (const theme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      it(`has nothing that axe finds serious, ${theme}, ${width} pixels wide`, () => inWindow(server, async (page) => {
        assert.deepEqual(await complaintsOfAxe(page), []);
        await page.locator('button.user').first().click();
        await page.locator('summary').first().click();
        await page.locator('summary').last().click();
        assert.deepEqual(await complaintsOfAxe(page), []);
      }, { theme, width }));
    }
  }

  it('fits a phone', () => inWindow(server, async (page) => {
    for (const button of await page.locator('button.user, summary').all()) await button.click();
    assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]), [360, 360]);
  }, { width: 360, height: 740 }));

  it('is served its charts by this machine', () => inWindow(server, async (page) => {
    const hosts = await page.evaluate(() => performance.getEntriesByType('resource').map((one) => new URL(one.name).host));
    assert.deepEqual([...new Set(hosts)], [new URL(server.url).host]);
  }));
});

describe('a user of a hostile name', () => {
  it('is shown as text, and runs nothing', () => withServer({ scenario: 'hostile' }, (server) => inWindow(server, async (page) => {
    const shown = await names(page);
    assert.ok(shown.includes('<img src=x onerror=alert(1)>@fabrikam.example'));
    assert.ok(shown.includes('<script>alert(1)</script>@fabrikam.example'));
    assert.ok(shown.includes('admin\\u{202e}elpmaxe.makirbaf@example'));
    for (const button of await page.locator('button.user, summary').all()) await button.click();
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.ok((await page.locator('#per-application').textContent()).includes("=cmd|' /C calc'!A0"));
    assert.deepEqual(await complaintsOfAxe(page), []);
  })));

  it('does not break the page of a phone', () => withServer({ scenario: 'hostile' }, (server) => inWindow(server, async (page) => {
    for (const button of await page.locator('button.user, summary').all()) await button.click();
    assert.deepEqual(await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]), [360, 360]);
  }, { width: 360 })));
});

describe('a page', () => {
  it('says that there is no yesterday yet', () => withServer({}, (server) => inWindow(server, async (page) => {
    assert.match(await page.locator('#tile-new').textContent(), /No yesterday to compare with yet/);
    assert.equal(await page.getByText('Only new').isVisible(), false);
    assert.equal(await page.locator('.badge').count(), 0);
  })));

  it('names the day that it compares with, where it is not yesterday', () => withServer({ yesterday: [], daysAgo: 3 }, (server) => inWindow(server, async (page) => {
    const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
      .format(Date.now() - 3 * 86400000);
    assert.equal(await page.locator('#tile-new-name').textContent(), `New since ${day}`);
    assert.equal(await tile(page, 'new'), '25');
  })));

  it('is glad when nobody came in without MFA', () => withServer({ scenario: 'empty' }, (server) => inWindow(server, async (page) => {
    assert.equal(await page.locator('#users-body').textContent(), 'Nobody came in without MFA in the last 7 days.');
    assert.equal(await tile(page, 'users'), '0');
    assert.deepEqual(await complaintsOfAxe(page), []);
  })));

  it('says that it is loading', () => withServer({ scenario: 'delay=2' }, async (server) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(server.url);
    assert.equal(await page.locator('#users-body').textContent(), 'Loading the users…');
    assert.equal(await page.locator('#users-body').getAttribute('aria-busy'), 'true');
    await page.locator('button.user').first().waitFor();
    await context.close();
  }));

  it('says what is wrong and what to do, and tries again', () => withServer({ scenario: 'forbidden' }, (server) => inWindow(server, async (page) => {
    const said = await page.locator('#users-body').textContent();
    assert.match(said, /The users cannot be shown/);
    assert.match(said, /role such as Admin agent/);
    assert.equal(await tile(page, 'users'), '–');
    assert.deepEqual(await complaintsOfAxe(page), []);
    const again = page.waitForResponse('**/api/users');
    await page.getByRole('button', { name: 'Try again' }).first().click();
    assert.equal((await again).status(), 503);
  }, { expected: REFUSED })));

  for (const theme of ['light', 'dark']) {
    it(`shows what it knew, and how old that is, when the service does not answer, ${theme}`, () => withServer(
      { scenario: 'revoke_after=3', env: { PCAPI_REFRESH: '1' } }, async (server) => {
        const isStale = async () => (await (await fetch(`${server.url}/api/summary`)).json()).users?.error;
        for (let left = 100; left > 0 && !await isStale(); left -= 1) await new Promise((done) => { setTimeout(done, 100); });
        await inWindow(server, async (page) => {
          const said = await page.locator('#notices').textContent();
          assert.match(said, /^Not up to date: users, adoption and requests, as of \d\d:\d\d, /);
          assert.match(said, /Get a new App\+User token/);
          assert.equal((await names(page)).length, 25);
          assert.deepEqual(await complaintsOfAxe(page), []);
        }, { theme });
      }));
  }

  it('says so when its own server is gone, and keeps what it shows', async () => {
    const server = await start();
    try {
      const { page, close } = await open(browser, server.url, { clock: true });
      await server.stop();
      await page.clock.runFor(61 * 1000);
      await page.getByText('The server of this page does not answer').waitFor();
      assert.equal((await names(page)).length, 25);
      await close();
    } finally {
      await server.stop();
    }
  });

  it('shows ten thousand users a hundred at a time, and finds each of them', () => withServer({ scenario: 'full' }, (server) => inWindow(server, async (page) => {
    assert.equal(await page.locator('#users-count').textContent(), '10,000 users');
    assert.equal(await page.locator('button.user').count(), 100);
    assert.match(await page.locator('#tile-users').textContent(), /there may be more/);
    await page.getByRole('button', { name: 'Show 100 more' }).click();
    assert.equal(await page.locator('button.user').count(), 200);
    const [last] = (await (await page.request.get(`${server.url}/api/users`)).json()).items.slice(-1);
    await page.getByRole('searchbox').fill(last.upn);
    assert.deepEqual(await names(page), [last.upn]);
  })));
});
