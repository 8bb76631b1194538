// What the page shows by the summary file of a history: in a real browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { complaintsOfAxe, run, start } from './page.mjs';
import { TIME, inWindow, inWindowOf, isAsWideAs, names, openAll, people, tile } from './window.mjs';

describe('a page with a history', () => {
  const shows = (name, runs, act, how) => it(name, () => inWindowOf({ runs: runs() }, act, how));
  const badges = (page) => page.locator('.badge').allTextContents();
  const notices = (page) => page.locator('#notices').textContent();
  const detailsOf = async (page, user) => {
    await page.getByRole('button', { name: user.upn }).click();
    return page.locator('.known').textContent();
  };

  const excepted = () => [run(1, people.slice(1)), run(0, people, {
    exceptions: `${people[0].upn} * ${new Date(Date.now() + 9 * 86400000).toISOString().slice(0, 10)} ticket 4711\n` })];
  shows('says of a user the state, since when, and the next step', excepted, async (page) => {
    assert.deepEqual(await badges(page), []);
    assert.match(await page.locator('.mark').textContent(), /^excepted until \d{4}-\d\d-\d\d$/);
    const found = await page.locator('.finding').allTextContents();
    assert.equal(found.length, 25);
    assert.ok(found.every((one) => /^since \d+ \w+, \d\d:\d\d · \w/.test(one)), found.join());
    assert.match(await detailsOf(page, people[0]),
      /^StateopenSince\d+ \w+, \d\d:\d\dExceptionuntil .*: ticket 4711Next stepnone: excepted until/);
    await page.getByRole('button', { name: people[0].upn }).click();
    assert.match(await detailsOf(page, people[1]), /Next stepRequire MFA for all cloud apps, then sign in anew$/);
    assert.deepEqual(await complaintsOfAxe(page), []);
  });

  const gone = { objectId: '5f0b3c1e-0000-4000-8000-0000000000ee', upn: 'gone@fabrikam.example',
    [TIME]: new Date(Date.now() - 20 * 86400000).toISOString() };
  const withGone = () => [run(20, [gone]), run(5, people), run(0, people, {
    exceptions: `${people[0].upn} * ${new Date(Date.now() + 9 * 86400000).toISOString().slice(0, 10)} ticket\n` })];
  shows('shows those of a state, also those who are gone', withGone, async (page) => {
    const which = page.getByLabel('Which users');
    const count = page.locator('#users-count');
    assert.equal(await count.textContent(), '25 users');
    await which.selectOption('With an exception');
    assert.deepEqual(await names(page), [people[0].upn]);
    await which.selectOption('Closed in the last 30 days');
    assert.deepEqual(await names(page), [gone.upn]);
    assert.equal(await page.locator('.mark').textContent(), 'quiet');
    await which.selectOption('All');
    assert.equal(await count.textContent(), '26 users');
    await which.selectOption('Healing: with MFA again');
    assert.match(await page.locator('#users-body').textContent(), /^There is no user of this kind/);
    await page.getByRole('button', { name: 'Show all users' }).click();
    assert.equal(await count.textContent(), '25 users');
  });

  shows('shows the trend as bars, with the numbers as a table', () => [run(1, people.slice(3)), run(0, people)], async (page) => {
    const label = await page.locator('#trend [role=img]').getAttribute('aria-label');
    assert.match(label, /^Bars: open users per day, \d+ \w+ to \d+ \w+; 22 on the first day, 25 on the last\./);
    assert.equal(await page.locator('.trend-bars span').count(), 2);
    const heights = await page.locator('.trend-bars span').evaluateAll((bars) => bars.map((one) => one.offsetHeight));
    assert.ok(heights[0] > 0 && heights[0] < heights[1], heights.join());
    await page.locator('#trend summary').click();
    assert.deepEqual((await page.locator('#trend tbody tr').first().locator('td').allTextContents()).slice(1),
      ['25', '3', '0', '0']);
  });

  shows('can be downloaded as CSV', () => [run(1, people.slice(3)), run(0, people)], async (page) => {
    const [download] = await Promise.all([page.waitForEvent('download'),
      page.getByRole('link', { name: 'Download as CSV' }).click()]);
    assert.match(download.suggestedFilename(), /^history-of-users-without-mfa-\d{4}-\d\d-\d\d\.csv$/);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    assert.equal(lines.length, 1 + 25 + 1);
    for (const { upn } of people) assert.ok(lines.some((line) => line.includes(upn)));
  });

  const told = () => [run(1, people.slice(3), { reader: 'mail' }), run(0, people)];
  shows('says who was not reported yet', told, async (page) => {
    assert.deepEqual(await page.locator('.mark').allTextContents(), Array(3).fill('not reported yet'));
    assert.match(await page.locator('#tile-new').textContent(), /; 3 not reported yet$/);
  });

  const back = () => [run(60, []), run(20, people.slice(0, 2)), run(10, []), run(0, people.slice(0, 4))];
  shows('marks those who are back, and those who came after the last run', back, async (page) => {
    const found = await badges(page);
    assert.equal(found.filter((one) => one === 'back').length, 2);
    assert.equal(found.filter((one) => one === 'new').length, 23);
    assert.equal(await tile(page, 'new'), '25');
  });

  shows('compares with its first run, if there is no other', () => [run(0, people.slice(1))], async (page) => {
    assert.equal(await tile(page, 'new'), '1');
    assert.deepEqual(await badges(page), ['new']);
    assert.match(await page.locator('#tile-new-name').textContent(), /^New since \d/);
  });

  shows('says if its last run is long ago', () => [run(5, people), run(4, people)], async (page) => {
    assert.match(await notices(page), /^Not up to date: history, as of .*pcapi watch has not run since then/);
    assert.equal((await names(page)).length, 25);
    assert.deepEqual(await complaintsOfAxe(page), []);
  });

  it('shows its lists if the file cannot be read, and says why', async () => {
    await inWindowOf({ env: { PCAPI_SUMMARY: '/nowhere/summary.json' } }, async (page) => {
      assert.match(await notices(page), /^Not available: history\.the summary \/nowhere\/summary\.json cannot be read/);
      assert.equal((await names(page)).length, 25);
      assert.equal(await tile(page, 'new'), '–');
      assert.deepEqual(await badges(page), []);
    });
  });

  it('uses the part of its tenant, and says if there is none', async () => {
    const other = '5f0b3c1e-0000-4000-8000-0000000000ff';
    const runs = [run(1, people, { tenant: other }), run(0, people, { tenant: other })];
    await inWindowOf({ runs: [...runs, run(1, people.slice(2)), run(0, people)] }, async (page) => {
      assert.equal(await tile(page, 'new'), '2');
    });
    await inWindowOf({ runs }, async (page) => {
      assert.match(await notices(page), /the summary has no tenant .*Set PCAPI_TENANT/);
      assert.equal(await tile(page, 'new'), '–');
    });
  });
});

describe('a page of several tenants', () => {
  const other = '5f0b3c1e-0000-4000-8000-0000000000ff';
  const guests = [1, 2, 3].map((i) => ({ objectId: `5f0b3c1e-0000-4000-8000-00000000001${i}`,
    upn: `lee${i}@contoso.example`, [TIME]: new Date(Date.now() - i * 60000).toISOString() }));
  let server;

  before(async () => {
    server = await start({ runs: [run(1, people.slice(2)), run(0, people),
      run(1, guests.slice(1), { tenant: other, name: 'Contoso' }),
      run(0, guests, { tenant: other, name: 'Contoso' })] });
  });
  after(() => server.stop());

  const shows = (name, act, how) => it(name, () => inWindow(server, act, how));
  const choice = (page) => page.getByLabel('Tenant');

  shows('shows its own one, and names the others', async (page) => {
    assert.deepEqual(await choice(page).locator('option').allTextContents(), ['All tenants', 'Contoso', 'Fabrikam']);
    assert.equal(await choice(page).locator('option:checked').textContent(), 'Fabrikam');
    assert.equal(await tile(page, 'new'), '2');
  });

  shows('shows another one by its history alone, also after a reload', async (page) => {
    const check = async () => {
      await page.locator('button.user', { hasText: 'lee1@' }).waitFor();
      assert.deepEqual(await names(page), guests.map((one) => one.upn));
      assert.deepEqual([await tile(page, 'users'), await tile(page, 'new'), await tile(page, 'requests')], ['3', '1', '–']);
      assert.deepEqual(await page.locator('.badge').allTextContents(), ['new']);
      assert.equal(await page.locator('#per-day').isVisible(), false);
      assert.match(await page.locator('#trend [role=img]').getAttribute('aria-label'), /3 on the last/);
      assert.equal(await page.getByRole('link', { name: 'Download as CSV' }).getAttribute('href'), `/api/history.csv?tenant=${other}`);
      assert.deepEqual(await complaintsOfAxe(page), []);
    };
    await choice(page).selectOption('Contoso');
    await check();
    await page.reload();
    await check();
    await page.locator('button.user').first().click();
    assert.match(await page.locator('.known').textContent(), /^Stateopen/);
    await page.goBack();
    await page.locator('button.user', { hasText: people[0].upn }).waitFor();
    assert.equal(await tile(page, 'users'), '25');
    assert.equal(await page.locator('#per-day').isVisible(), true);
  });

  shows('searches all tenants', async (page) => {
    await choice(page).selectOption('All tenants');
    await page.getByText('28 users').waitFor();
    assert.deepEqual([await tile(page, 'users'), await tile(page, 'new')], ['28', '3']);
    await page.getByRole('searchbox').fill('lee2@');
    assert.deepEqual(await names(page), [guests[1].upn]);
    assert.match(await page.locator('.finding').textContent(), /^Contoso · since /);
    await page.getByRole('searchbox').fill(people[7].objectId);
    assert.deepEqual(await names(page), [people[7].upn]);
    assert.match(await page.locator('#trend [role=img]').getAttribute('aria-label'), /25 on the first day, 28 on the last/);
    assert.deepEqual(await complaintsOfAxe(page), []);
  });

  shows('says so if there is no tenant of that id', async (page) => {
    assert.match(await page.locator('#users-body').textContent(), /the summary has no tenant <b>/);
    assert.deepEqual([await tile(page, 'users'), await tile(page, 'new')], ['–', '–']);
    await choice(page).selectOption('Fabrikam');
    await page.locator('button.user', { hasText: people[0].upn }).waitFor();
  }, { path: '/?tenant=%3Cb%3E' });
});

describe('a history with hostile names', () => {
  const HOSTILE = ['<img src=x onerror=alert(1)>@x.example', '</script><script>alert(1)</script>',
    'admin\u202eelpmaxe.makirbaf@example', `${'x'.repeat(500)}@x.example`, '"\'`\u0000\u001b[2J\ufeff@x.example',
    'javascript:alert(1)', '{{constructor}}@x.example', '\ud83d\ude00@x.example'];
  // each user comes by an application of a hostile name
  const application = (i) => `5f0b3c1e-0000-4000-8000-00000000000${i}`;
  const requestOf = ({ objectId, lastNonMfaCompliantRequestDateTime: at }, i) => ({ id: application(i),
    user: objectId, at, application: application(i), mfa: false });
  const adoptionOf = (name, i) => ({ day: new Date().toISOString().slice(0, 10), name,
    application: application(i), total: 1, with_mfa: 0 });
  const runs = () => [run(1, []), run(0, people.slice(0, HOSTILE.length)
    .map((one, i) => ({ ...one, upn: HOSTILE[i] })), { name: HOSTILE[0],
    requests: people.slice(0, HOSTILE.length).map(requestOf), adoption: HOSTILE.map(adoptionOf),
    exceptions: `${people[0].objectId} * ${new Date(Date.now() + 86400000).toISOString().slice(0, 10)} ${HOSTILE[0]} ${HOSTILE[2]}\n` })];

  // two more tenants, whose names are hostile
  const others = () => [2, 3].map((i) => run(0, [{ ...people[0], upn: HOSTILE[i] }],
    { tenant: application(i), name: HOSTILE[i] }));
  let server;

  before(async () => { server = await start({ runs: [...runs(), ...others()] }); });
  after(() => server.stop());

  for (const width of [1280, 360]) {
    it(`harms no choice of a tenant, ${width} pixels wide`, () => inWindow(server, async (page) => {
      const shown = await page.getByLabel('Tenant').locator('option').allTextContents();
      assert.ok(shown.includes('admin\\u{202e}elpmaxe.makirbaf@example'), shown.join());
      assert.ok(shown.includes(`${'x'.repeat(60)}…`));
      assert.ok(shown.includes(HOSTILE[0]));
      await page.getByLabel('Tenant').selectOption('all');
      await page.getByText('10 users').waitFor();
      await openAll(page);
      assert.equal(await page.locator('main img, main script').count(), 0);
      await isAsWideAs(page, width);
      assert.deepEqual(await complaintsOfAxe(page), []);
    }, { width }));

    it(`harms no page, ${width} pixels wide`, () => inWindow(server, async (page) => {
      assert.equal(await page.locator('.badge').count(), 24); // all but the excepted one
      await openAll(page);
      const known = await page.locator('.known').allTextContents();
      assert.equal(known.length, HOSTILE.length);
      const steps = known.join('\n');
      assert.ok(steps.includes('Find out who runs javascript:alert(1), and'), steps);
      assert.ok(steps.includes('Find out who runs admin\\u{202e}elpmaxe'));
      assert.ok(steps.includes(`Find out who runs ${'x'.repeat(500)}@x.example, and`));
      assert.ok(known.some((one) => one.includes(`<img src=x onerror=alert(1)>@x.example admin\\u{202e}`)));
      assert.equal(await page.locator('main img, main script').count(), 0);
      await isAsWideAs(page, width);
      assert.deepEqual(await complaintsOfAxe(page), []);
    }, { width }));
  }
});
