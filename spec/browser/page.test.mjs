// The page in a real browser, with the sandbox as its service.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { complaintsOfAxe, open, run, start } from './page.mjs';
import { TIME, browser, inWindow, inWindowOf, isAsWideAs, list, names, openAll, people, tile } from './window.mjs';

const collator = new Intl.Collator('en', { sensitivity: 'base', numeric: true });
const sorted = (all) => [...all].sort(collator.compare);
const byTime = () => people.toSorted((a, b) => (a[TIME] < b[TIME] ? 1 : -1)).map((user) => user.upn);

describe('the page', () => {
  let server;

  before(async () => {
    server = await start({ runs: [run(1, people.slice(3)), run(0, people)] });
  });
  after(() => server.stop());

  const shows = (name, act, how) => it(name, () => inWindow(server, act, how));

  shows("shows the sandbox's users, the newest first", async (page) => {
    assert.deepEqual(await names(page), byTime());
    assert.equal(await tile(page, 'users'), '25');
    assert.equal(await page.locator('#users-count').textContent(), '25 users');
  });

  shows('marks the users who are new since the run of the day before, and can show only them', async (page) => {
    const fresh = people.slice(0, 3).map((user) => user.upn);
    assert.equal(await tile(page, 'new'), '3');
    assert.match(await page.locator('#tile-new-name').textContent(), /^New since \d+ \w+, \d\d:\d\d$/);
    assert.equal(await page.locator('.badge').count(), 3);
    await page.getByText('Only new').click();
    assert.deepEqual(await names(page), byTime().filter((name) => fresh.includes(name)));
    assert.equal(await page.locator('#users-count').textContent(), '3 of 25 users');
  });

  shows('sorts by mouse', async (page) => {
    const all = sorted(people.map((user) => user.upn));
    await page.getByRole('button', { name: 'User', exact: true }).click();
    assert.deepEqual(await names(page), all);
    await page.getByRole('button', { name: 'User', exact: true }).click();
    assert.deepEqual(await names(page), all.toReversed());
    assert.equal(await page.locator('th[aria-sort="descending"]').textContent(), 'User');
    await page.getByRole('button', { name: 'Requests' }).click();
    const counts = (await page.locator('td.col-requests').allTextContents()).map(Number);
    assert.deepEqual(counts, counts.toSorted((a, b) => b - a));
  });

  shows('searches', async (page) => {
    const search = page.getByRole('searchbox');
    await search.fill('CONTOSO');
    const found = people.map((user) => user.upn).filter((name) => name.includes('contoso'));
    assert.deepEqual(sorted(await names(page)), sorted(found));
    await search.fill(people[7].objectId);
    assert.deepEqual(await names(page), [people[7].upn]);
    await search.fill('nobody of that name');
    assert.deepEqual(await names(page), []);
    await page.getByRole('button', { name: 'Show all users' }).click();
    assert.equal((await names(page)).length, 25);
  });

  shows('can be used by keyboard alone', async (page) => {
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('Tab');
    assert.equal(await focused(), 'Skip to the users');
    await press('Enter', 'Tab', 'Tab', 'Tab');
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
    assert.equal(await focused(), (await names(page))[0]);
    await press('Space');
    assert.match(await page.locator('tr.details').textContent(), /Object id/);
    await press('Space');
    assert.equal(await page.locator('tr.details').count(), 0);
  });

  shows('lists the requests of a user without MFA', async (page) => {
    const { items } = await list(page, server, 'requests');
    const [{ upn, operationName, ipAddress }] = items;
    await page.getByRole('button', { name: upn }).click();
    const rows = page.locator('.requests tbody tr');
    assert.equal(await rows.count(), items.filter((request) => request.upn === upn).length);
    assert.ok((await rows.first().textContent()).includes(operationName));
    assert.ok((await rows.first().textContent()).includes(ipAddress));
  });

  shows('draws adoption per day and per application, with the numbers as tables', async (page) => {
    const { items, applications, with_mfa: mfa, total } = await list(page, server, 'adoption');
    const number = (value) => value.toLocaleString('en');
    const label = await page.locator('#per-day [role=img]').getAttribute('aria-label');
    assert.ok(label.includes(`${number(mfa)} of ${number(total)} with MFA`), label);
    await page.locator('#per-day summary').click();
    const days = new Set(items.map((row) => row.loginDate));
    assert.equal(await page.locator('#per-day tbody tr').count(), days.size);
    await page.locator('#per-application summary').click();
    assert.deepEqual(
      await page.locator('#per-application tbody tr td:nth-child(2)').allTextContents(),
      applications.map((one) => number(one.total)));
  });

  shows('says what its numbers count', async (page, server) => {
    const requests = await list(page, server, 'requests');
    const { with_mfa: mfa, total } = await list(page, server, 'adoption');
    const number = (value) => value.toLocaleString('en');
    await page.getByText('What these numbers count').click();
    const said = await page.locator('#counts').textContent();
    assert.ok(said.includes(`${number(requests.count)} of them are without.`), said);
    assert.ok(said.includes(`${number(total)} requests, ${number(mfa)} of them with MFA, so ${number(total - mfa)} without`), said);
    assert.ok(said.includes('they signed in to the portal without MFA'), said);
  });

  shows('has charts that are not empty', async (page) => {
    const coloursOf = (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    };
    for (const place of ['#per-day', '#per-application']) {
      assert.ok(await page.locator(`${place} canvas`).evaluate(coloursOf) > 10, place);
    }
  });

  shows('shows the numbers of the day under the pointer', async (page) => {
    await page.locator('#per-day .u-over').hover();
    assert.match(await page.locator('#per-day .read-out').textContent(),
      /^\w{3} \d+ \w{3}: [\d,]+ of [\d,]+ with MFA, \d+%$/);
  });

  shows('is dark if the system is, or if the user chooses so, also after a reload', async (page) => {
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
  });

  for (const theme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      shows(`has nothing that axe finds serious, ${theme}, ${width} pixels wide`, async (page) => {
        assert.deepEqual(await complaintsOfAxe(page), []);
        await page.locator('button.user').first().click();
        for (const summary of await page.locator('summary').all()) await summary.click();
        assert.deepEqual(await complaintsOfAxe(page), []);
      }, { theme, width });
    }
  }

  shows('fits a phone', async (page) => {
    await openAll(page);
    await isAsWideAs(page, 360);
  }, { width: 360, height: 740 });

  shows('loads everything from this machine', async (page) => {
    const hosts = await page.evaluate(() => performance.getEntriesByType('resource')
      .map((one) => new URL(one.name).host));
    assert.deepEqual([...new Set(hosts)], [new URL(server.url).host]);
  });
});

describe('a user with a hostile name', () => {
  it('is shown as text, and runs nothing', () => inWindowOf({ scenario: 'hostile' }, async (page) => {
    const shown = await names(page);
    assert.ok(shown.includes('<img src=x onerror=alert(1)>@fabrikam.example'));
    assert.ok(shown.includes('<script>alert(1)</script>@fabrikam.example'));
    assert.ok(shown.includes('admin\\u{202e}elpmaxe.makirbaf@example'));
    await openAll(page);
    assert.equal(await page.locator('main img, main script').count(), 0);
    assert.ok((await page.locator('#per-application').textContent()).includes("=cmd|' /C calc'!A0"));
    assert.deepEqual(await complaintsOfAxe(page), []);
  }));

  it('does not break the page of a phone', () => inWindowOf({ scenario: 'hostile' }, async (page) => {
    await openAll(page);
    await isAsWideAs(page, 360);
  }, { width: 360 }));
});

describe('a page', () => {
  const shows = (name, setup, act, how) => it(name, () => inWindowOf(setup, act, how));

  shows('knows nobody as new without a history', {}, async (page) => {
    assert.equal(await page.locator('#tile-new').textContent(), '–Not known without pcapi watch');
    assert.equal(await page.getByText('Only new').isVisible(), false);
    assert.equal(await page.locator('.badge').count(), 0);
    assert.equal((await names(page)).length, 25);
  });

  shows('says so if no user signed in without MFA', { scenario: 'empty' }, async (page) => {
    assert.equal(await page.locator('#users-body').textContent(),
      'No user signed in without MFA in the last 7 days.');
    assert.equal(await tile(page, 'users'), '0');
    assert.deepEqual(await complaintsOfAxe(page), []);
  });

  it('says that it is loading', async () => {
    const server = await start({ scenario: 'delay=2' });
    const page = await browser.newPage();
    try {
      await page.goto(server.url);
      const body = page.locator('#users-body');
      assert.equal(await body.textContent(), 'Loading the users…');
      assert.equal(await body.getAttribute('aria-busy'), 'true');
      await page.locator('button.user').first().waitFor();
      assert.equal(await body.getAttribute('aria-busy'), 'false');
    } finally {
      await page.close();
      await server.stop();
    }
  });

  const refused = /^error: Failed to load resource: the server responded with a status of 503/;
  shows('shows the error and the next step, and can try again', { scenario: 'forbidden' }, async (page) => {
    const said = await page.locator('#users-body').textContent();
    assert.match(said, /The users cannot be shown/);
    assert.match(said, /role such as Admin agent/);
    assert.equal(await tile(page, 'users'), '–');
    assert.deepEqual(await complaintsOfAxe(page), []);
    const again = page.waitForResponse('**/api/users');
    await page.getByRole('button', { name: 'Try again' }).first().click();
    assert.equal((await again).status(), 503);
  }, { expected: refused });

  for (const theme of ['light', 'dark']) {
    it(`keeps its lists, with their age, if the service does not respond, ${theme}`, async () => {
      const server = await start({ scenario: 'revoke_after=3', env: { PCAPI_REFRESH: '2' } });
      const failed = async () => Object.values(await (await fetch(`${server.url}/api/summary`)).json())
        .every((one) => one.error);
      try {
        for (let left = 100; left > 0 && !await failed(); left -= 1) await sleep(100);
        await inWindow(server, async (page) => {
          const said = await page.locator('#notices').textContent();
          assert.match(said, /^Not up to date: users, adoption and requests, as of \d\d:\d\d, /);
          assert.match(said, /Get a new App\+User token/);
          assert.equal((await names(page)).length, 25);
          assert.deepEqual(await complaintsOfAxe(page), []);
        }, { theme });
      } finally {
        await server.stop();
      }
    });
  }

  it('says so if its own server is gone, and keeps the lists', async () => {
    const server = await start();
    try {
      const { page, close } = await open(browser, server.url, { clock: true });
      await server.stop();
      await page.clock.runFor(61 * 1000);
      await page.getByText('The server of this page does not respond').waitFor();
      assert.equal((await names(page)).length, 25);
      await close();
    } finally {
      await server.stop();
    }
  });

  const many = { scenario: 'full' };
  const rows = (page) => page.locator('button.user').count();
  shows('has of ten thousand users only the rows near the screen, and finds each of them', many, async (page, server) => {
    const { items } = await list(page, server, 'users');
    assert.equal(await page.locator('#users-count').textContent(), '10,000 users');
    assert.match(await page.locator('#tile-users').textContent(), /there may be more/);
    assert.ok(await rows(page) <= 200);
    const row = (index) => page.locator(`tr[aria-rowindex="${index}"]`);
    assert.equal(await row(2).count(), 1);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight / 2));
    await page.waitForFunction(() => [...document.querySelectorAll('tr[aria-rowindex]')]
      .some((one) => Math.abs(one.getAttribute('aria-rowindex') - 5000) < 500));
    assert.equal(await row(2).count(), 0);
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await row(10001).waitFor();
    assert.ok(await rows(page) <= 300);
    await page.getByRole('searchbox').fill(items.at(-1).upn);
    assert.deepEqual(await names(page), [items.at(-1).upn]);
  });
});
