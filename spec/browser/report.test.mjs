// The report in a real browser, as a file, and its mail.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import { launch, LUA, REPOSITORY } from './page.mjs';

let browser;
let folder;

// Writes a report of one of the histories. Returns its path.
function report(history, ...words) {
  const path = join(folder, `${history}${words.join('').replace(/\W/g, '')}.html`);
  if (existsSync(path)) return path;
  execFileSync(LUA, ['bin/pcapi', '-q', 'report', '--html', path, '--now', '2026-11-28T06:00:00Z',
    ...words], { cwd: REPOSITORY, env: { ...process.env, HOME: folder,
    PCAPI_HISTORY: join(folder, `${history}.sqlite`) } });
  return path;
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pcapi-report.'));
  chmodSync(folder, 0o700);
  execFileSync(LUA, ['spec/browser/report.lua', folder], { cwd: REPOSITORY });
  browser = await launch();
});
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
});

// Opens a file. Its console holds nothing but what is expected, and it loads nothing but itself.
async function inFile(path, act, { theme = 'light', width = 1280, expected = [] } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
  const page = await context.newPage();
  const found = [];
  page.on('console', (message) => found.push(message.text()));
  page.on('pageerror', (error) => found.push(String(error)));
  page.on('dialog', (dialog) => { found.push(dialog.message()); dialog.dismiss(); });
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(path).href) found.push(request.url());
  });
  page.on('requestfailed', (request) => found.push(request.failure().errorText));
  try {
    await page.goto(pathToFileURL(path).href);
    await act(page);
    const kinds = found.map((one) => expected.findIndex((what) => what.test(one)));
    assert.deepEqual(kinds.sort(), expected.map((_, at) => at), found.join('\n'));
  } finally {
    await context.close();
  }
}

// All findings of axe-core.
async function violationsOf(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`);
}

const rowsOf = (page, label) => page.locator(`[aria-label="${label}"] tbody tr`);

for (const theme of ['light', 'dark']) {
  for (const [name, history, words] of [['of two tenants', 'full', []],
    ['for an auditor', 'full', ['--from', '2026-09-01']], ['of a hostile tenant', 'hostile', []]]) {
    it(`a report ${name}, ${theme}, has nothing that axe-core finds, and loads nothing`, () => (
      inFile(report(history, ...words), async (page) => {
        assert.deepEqual(await violationsOf(page), []);
      }, { theme })));
  }
}

describe('a report', () => {
  it('shows users, applications, exceptions and what is not known', () => (
    inFile(report('full'), async (page) => {
      assert.equal(await page.title(), 'Users without MFA in Partner Center: 2 tenants');
      const users = await rowsOf(page, 'Users of fabrikam').allInnerTexts();
      assert.equal(users.length, 7);
      assert.match(users.join('\n'), /kim@fabrikam\.example\s+open\s.*Billing Sync/);
      assert.match(users.join('\n'), /sam\.breakglass@.*excepted until 2027-01-31/);
      assert.match(await rowsOf(page, 'Applications of fabrikam').first().innerText(), /Billing Sync/);
      assert.match(await rowsOf(page, 'Exceptions of fabrikam').innerText(), /break-glass account/);
      assert.match(await page.locator('main').innerText(), /It fails since 2026-11-28 06:00/);
    })));

  it('draws the numbers of its tables', () => inFile(report('full'), async (page) => {
    const bars = page.locator('#t1-trend-t').locator('xpath=..');
    const days = await rowsOf(page, 'Numbers of the trend of fabrikam').allInnerTexts();
    const opened = days.filter((row) => row.split('\t')[2] !== '0');
    assert.equal(await bars.locator('.new').count(), opened.length);
    assert.match(await bars.locator('desc').textContent(),
      new RegExp(`${days.at(-1).split('\t')[1]} on the last day`));
    assert.equal(await page.locator('#t1-bars-t').locator('xpath=..').locator('.good').count(), 1);
  }));

  it('can be read by keyboard: a link to the numbers, and tables that scroll', () => (
    inFile(report('full'), async (page) => {
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.textContent),
        'Skip to the numbers');
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'region');
    })));

  it('is as wide as a phone', () => inFile(report('hostile'), async (page) => {
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 390);
  }, { width: 390 }));

  it('has a policy that stops scripts, other styles, and pictures', () => {
    const path = join(folder, 'changed.html');
    writeFileSync(path, readFileSync(report('full'), 'utf8').replace('<main', '<script>document.title='
      + '"ran"</script><p id="red" style="color:#f00">x</p><img alt="" src="https://x.example/"/><main'));
    return inFile(path, async (page) => {
      await page.locator('#states').waitFor();
      assert.match(await page.title(), /^Users without MFA/);
      assert.notEqual(await page.locator('#red').evaluate((one) => getComputedStyle(one).color),
        'rgb(255, 0, 0)');
      assert.equal(await page.locator('h2').first().evaluate((one) => (
        getComputedStyle(one).borderTopWidth)), '2px'); // its own style holds
    }, { expected: [/inline script violates/, /inline style violates/, /Loading the image .*violates/,
      /^https:\/\/x\.example\/$/, /^csp$/] });
  });

  it('prints each row of its tables', () => inFile(report('full', '--from', '2026-09-01'), async (page) => {
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    const hidden = await page.locator('.scroll').evaluateAll((all) => all.filter((one) => (
      one.scrollHeight > one.clientHeight + 1)).length);
    assert.equal(hidden, 0);
    assert.equal(await page.locator('body').evaluate((one) => getComputedStyle(one).backgroundColor),
      'rgb(255, 255, 255)');
    assert.equal((await page.pdf({ format: 'A4' })).subarray(0, 5).toString(), '%PDF-');
  }));

  it('is one tree, by the rules of HTML and of XML', async () => {
    for (const path of [report('full', '--from', '2026-09-01'), report('hostile'), report('many')]) {
      await inFile(path, async (page) => {
        const [html, xml, problem] = await page.evaluate((text) => {
          const names = (tree) => [...tree.querySelectorAll('*')].map((one) => one.localName).join();
          const other = new DOMParser().parseFromString(text, 'application/xhtml+xml');
          return [names(document), names(other), other.querySelector('parsererror')?.textContent];
        }, readFileSync(path, 'utf8'));
        assert.equal(problem, undefined);
        assert.equal(html, xml);
      });
    }
  });

  it('of a hostile tenant has no element and no attribute of it', () => (
    inFile(report('hostile', '--from', '2026-09-01'), async (page) => {
      assert.match(await page.title(), /^Users without MFA in Partner Center: 22 tenants$/);
      const found = await page.evaluate(() => [
        document.querySelectorAll('script, img, style ~ style, iframe, b, [onload], [onerror]').length,
        [...document.querySelectorAll('a')].filter((one) => !one.getAttribute('href').startsWith('#'))
          .length, document.querySelectorAll('style').length]);
      assert.deepEqual(found, [0, 0, 1]);
      assert.match(await page.locator('main').innerText(), /a\\u\{202e\}gpj\.exe/);
    })));

  it('has at most 300 KB for 1,000 users, all of them in it', () => inFile(report('many'), async (page) => {
    assert.ok(statSync(report('many')).size <= 300 * 1000);
    assert.equal(await rowsOf(page, 'Users of fabrikam').count(), 1000);
  }));
});
