// The HTTP interface of the page: /api/…, /metrics, /healthz, and access control.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LUA, REPOSITORY, run, start, token, usersOf } from './page.mjs';

// Sends a request that no browser would send: with any Host, from any address of this machine.
function request(url, { method = 'GET', headers = {}, from = '127.0.0.1', path = '/api/users' } = {}) {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    http.request({ host: '127.0.0.1', port, path, method, localAddress: from, agent: false,
      headers: { Host: `localhost:${port}`, ...headers } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece) => { body += piece; })
        .on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    }).on('error', reject).end();
  });
}

async function json(url, path) {
  const response = await request(url, { path });
  assert.match(response.headers['content-type'], /^application\/json/);
  assert.equal(response.headers['cache-control'], 'no-store');
  return { status: response.status, body: JSON.parse(response.body) };
}

// Repeats a check until it passes: the page refreshes its lists about once a second.
async function eventually(act) {
  for (let left = 150; ; left -= 1) {
    try {
      return await act();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
  }
}

describe('the page', () => {
  let page;
  let people;

  before(async () => {
    people = await usersOf(token());
    page = await start({ runs: [run(1, people.slice(2)), run(0, people)] });
  });
  after(() => page.stop());

  it('returns the users as JSON, with the age of the list', async () => {
    const { status, body } = await json(page.url, '/api/users');
    assert.equal(status, 200);
    assert.deepEqual(body.items.map((user) => user.upn).sort(), people.map((user) => user.upn).sort());
    assert.match(body.as_of, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Math.abs(Date.parse(body.as_of) - Date.now()) < 20000);
    assert.ok(body.age >= 0 && body.age < 20);
    assert.deepEqual([body.stale, body.error, body.count], [false, null, people.length]);
  });

  it('says who is new, since when, and what to do', async () => {
    const { status, body } = await json(page.url, '/api/history');
    assert.equal(status, 200);
    const newest = people.slice(0, 2).map((user) => user.objectId).sort();
    const [tenant] = body.tenants;
    const news = tenant.people.filter((person) => person.news === 'new');
    assert.deepEqual(news.map((person) => person.objectId).sort(), newest);
    assert.deepEqual([tenant.counts.new, tenant.counts.open, tenant.people.length], [2, 25, 25]);
    assert.ok(Math.abs(Date.parse(tenant.new_since) - Date.now() + 86400000) < 20000);
    assert.equal(tenant.lists.users, 'whole');
    assert.deepEqual([tenant.trend.open, body.own, body.choices], [[23, 25], tenant.id,
      [{ id: tenant.id, label: 'Fabrikam' }]]);
    for (const person of tenant.people) assert.ok(person.step && person.since && person.state === 'open');
  });

  it('returns adoption with the sum of each application', async () => {
    const { body } = await json(page.url, '/api/adoption');
    assert.ok(body.items.length > 0 && body.applications.length > 0);
    const total = body.items.reduce((sum, row) => sum + row.totalRequestCount, 0);
    assert.equal(body.total, total);
    assert.equal(body.applications.reduce((sum, one) => sum + one.total, 0), total);
    assert.ok(body.ratio > 0 && body.ratio < 1);
  });

  it('returns only requests without MFA, the newest first', async () => {
    const { body } = await json(page.url, '/api/requests');
    assert.ok(body.items.length > 0);
    assert.ok(body.items.every((request) => request.mfaCompliant === false));
    const times = body.items.map((request) => Date.parse(`${request.requestDateTime.slice(0, 19)}Z`));
    assert.deepEqual(times, times.toSorted((a, b) => b - a));
  });

  it('returns the users, and the history, as CSV', async () => {
    for (const [path, name] of [['/api/users.csv', 'users'], ['/api/history.csv', 'history-of-users']]) {
      const { status, headers, body } = await request(page.url, { path });
      assert.deepEqual([status, headers['content-type']], [200, 'text/csv; charset=utf-8']);
      assert.match(headers['content-disposition'],
        new RegExp(`^attachment; filename="${name}-without-mfa-\\d{4}-\\d\\d-\\d\\d\\.csv"$`));
      const lines = body.split('\r\n').slice(0, -1);
      assert.equal(lines.length, people.length + 1);
      for (const { upn } of people) assert.ok(lines.some((line) => line.includes(`${upn},`)), upn);
    }
  });

  it('summarises all three lists', async () => {
    const { body } = await json(page.url, '/api/summary');
    assert.deepEqual(Object.keys(body).sort(), ['adoption', 'requests', 'users']);
    assert.equal(body.users.count, people.length);
    assert.equal(body.users.items, undefined);
  });

  it('names its addresses in the response to any other address', async () => {
    const { status, body } = await json(page.url, '/api/nothing');
    assert.equal(status, 404);
    assert.match(body.error.hint, /\/api\/users/);
  });

  it('has metrics that Prometheus can read', async () => {
    const { headers, body } = await request(page.url, { path: '/metrics' });
    assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/);
    const known = new Set();
    for (const line of body.split('\n').slice(0, -1)) {
      const type = line.match(/^# TYPE ([a-z_]+) (gauge|counter)$/);
      if (type) known.add(type[1]);
      else if (!/^# HELP [a-z_]+ .+$/.test(line)) {
        const sample = line.match(/^([a-z_]+)(?:\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$/);
        assert.ok(sample, line);
        assert.ok(known.has(sample[1]), line);
        assert.ok(Number.isFinite(Number(sample[2])), line);
      }
    }
    const tenant = 'tenant="Fabrikam"';
    assert.ok(body.includes(`\npcapi_non_mfa_users{${tenant}} ${people.length}\n`));
    assert.ok(body.includes(`\npcapi_non_mfa_new_users{${tenant}} 2\n`));
    for (const list of ['users', 'adoption', 'requests']) {
      assert.ok(body.includes(`\npcapi_up{${tenant},list="${list}"} 1\n`));
      assert.ok(body.includes(`\npcapi_refreshes_total{list="${list}"} 1\n`));
      const at = Number(body.split(`\npcapi_list_timestamp_seconds{${tenant},list="${list}"} `)[1].split('\n')[0]);
      assert.ok(Math.abs(Date.now() / 1000 - at) < 300);
    }
    assert.match(body, /\npcapi_adoption_ratio\{tenant="Fabrikam",application_id="[0-9a-f-]+",application="Partner Center Web App"\} 0\.\d+\n/);
  });

  it('is healthy', async () => {
    assert.deepEqual((await json(page.url, '/healthz')).body.status, 'ok');
  });

  it('accepts requests for names of this machine only', async () => {
    const { port } = new URL(page.url);
    for (const host of ['localhost', '127.0.0.1', '[::1]']) {
      const response = await request(page.url, { headers: { Host: `${host}:${port}` } });
      assert.equal(response.status, 200, host);
    }
    for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.nip.example', 'x']) {
      for (const path of ['/', '/api/users', '/metrics', '/healthz']) {
        const response = await request(page.url, { headers: { Host: host }, path });
        assert.equal(response.status, 421, host);
        assert.ok(!response.body.includes('fabrikam'));
      }
    }
  });

  it('is closed to other machines', async () => {
    for (const path of ['/', '/page.js', '/api/users', '/metrics', '/healthz']) {
      assert.equal((await request(page.url, { path, from: '127.0.0.2' })).status, 403, path);
    }
  });

  it('accepts GET and HEAD, and names them when it refuses another method', async () => {
    assert.equal((await request(page.url, { method: 'HEAD' })).body, '');
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const response = await request(page.url, { method });
      assert.deepEqual([response.status, response.headers.allow], [405, 'GET, HEAD'], method);
    }
  });

  it('sends headers that keep foreign scripts out, on each of its addresses', async () => {
    for (const path of ['/', '/page.js', '/uplot/uPlot.esm.js', '/api/users', '/api/no', '/metrics', '/no']) {
      const { headers } = await request(page.url, { path });
      assert.equal(headers['content-security-policy'], "default-src 'none'; script-src 'self'; "
        + "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'", path);
      assert.equal(headers['x-content-type-options'], 'nosniff', path);
      assert.equal(headers['x-frame-options'], 'DENY', path);
      assert.equal(headers['referrer-policy'], 'no-referrer', path);
      assert.equal(headers['cross-origin-opener-policy'], 'same-origin', path);
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin', path);
    }
  });

  it('serves only its own files', async () => {
    for (const path of ['/nginx.conf', '/lua/page/settings.lua', '/../nginx.conf', '/uplot/../../../package.json',
      '/uplot../package.json', '/%2e%2e/nginx.conf', '/uplot/']) {
      const { status } = await request(page.url, { path });
      assert.ok(status === 404 || status === 400 || status === 403, `${path}: ${status}`);
    }
  });
});

describe('a page that signs in', () => {
  const client = '00000000-0000-0000-0000-000000000000';
  const service = process.env.PCAPI_SANDBOX_HTTP_URL;
  let directory;

  before(() => { directory = mkdtempSync(join(tmpdir(), 'pcapi-store.')); });
  after(() => rmSync(directory, { recursive: true }));

  const has25 = async (page) => {
    for (const list of ['users', 'adoption', 'requests']) {
      const { status, body } = await json(page.url, `/api/${list}`);
      assert.equal(status, 200, JSON.stringify(body));
    }
    assert.equal((await json(page.url, '/api/users')).body.count, 25);
  };

  it('uses a refresh token once for all lists and workers', async () => {
    const tenant = `page-${process.pid}`;
    const seed = await (await fetch(`${service}/_sandbox/refresh_token?client_id=${client}`)).text();
    const page = await start({ env: { PCAPI_TOKEN: '', PCAPI_REFRESH_TOKEN: seed, PCAPI_TENANT: tenant, PCAPI_CLIENT_ID: client } });
    try {
      await has25(page);
      const calls = await (await fetch(`${service}/_sandbox/log?login=-/${tenant}`)).json();
      assert.deepEqual(calls.map((call) => call.grant_type), ['refresh_token']);
    } finally {
      await page.stop();
    }
  });

  it('uses a profile of the command', async () => {
    execFileSync(LUA, ['bin/pcapi', 'login', '--tenant', 'profile.example', '--client-id', client,
      '--login-url', process.env.PCAPI_LOGIN_URL], { cwd: REPOSITORY, stdio: 'pipe',
      env: { ...process.env, PCAPI_STORE: directory, PCAPI_TOKEN: '', HOME: directory } });
    const page = await start({ env: { PCAPI_TOKEN: '' }, edit: (text) => text
      .replace('# env PCAPI_PROFILE=default;', 'env PCAPI_PROFILE=default;')
      .replace('# env PCAPI_STORE=/var/lib/pcapi;', `env PCAPI_STORE=${directory};`) });
    try {
      await has25(page);
    } finally {
      await page.stop();
    }
  });
});

describe('a page without a history', () => {
  it('marks no user as new', async () => {
    const page = await start();
    try {
      assert.deepEqual((await json(page.url, '/api/history')).body, { configured: false, choices: [] });
      assert.equal((await json(page.url, '/api/users')).body.new_count, undefined);
      assert.ok(!(await request(page.url, { path: '/metrics' })).body.includes('\npcapi_non_mfa_new_users '));
    } finally {
      await page.stop();
    }
  });
});

describe('a page with a password as in nginx.conf', () => {
  let page;
  let directory;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pcapi-passwords.'));
    const hash = execFileSync('openssl', ['passwd', '-6', 'open sesame'], { encoding: 'utf8' }).trim();
    writeFileSync(join(directory, 'passwords'), `ada:${hash}\n`);
    page = await start({ edit: (text) => text
      .replace(/# (satisfy any;|auth_basic .*;|auth_basic_user_file .*;)/g, '$1')
      .replace('/etc/nginx/pcapi/passwords;', `${join(directory, 'passwords')};`) });
  });
  after(async () => {
    await page.stop();
    rmSync(directory, { recursive: true });
  });

  const basic = (text) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  it('lets other machines in with the password only', async () => {
    const from = '127.0.0.2';
    assert.equal((await request(page.url, { from })).status, 401);
    assert.equal((await request(page.url, { from, headers: basic('ada:wrong') })).status, 401);
    assert.equal((await request(page.url, { from, headers: basic('ada:open sesame') })).status, 200);
    assert.equal((await request(page.url)).status, 200);
  });
});

describe('a page whose service refuses', () => {
  let page;
  let bearer;

  before(async () => {
    bearer = token('no-mfa');
    page = await start({ env: { PCAPI_TOKEN: bearer } });
  });
  after(() => page.stop());

  it('returns the reason and the next step, without secrets', async () => {
    for (const path of ['/api/users', '/api/adoption', '/api/requests', '/api/summary']) {
      const { status, body } = await json(page.url, path);
      assert.equal(status, 503, path);
      assert.equal(body.error.kind, 'mfa_required', path);
      assert.ok(body.error.message && body.error.hint, path);
      assert.ok(!JSON.stringify(body).includes(bearer.slice(0, 20)));
    }
  });

  it('is not healthy, which its metrics show', async () => {
    const { status, body } = await json(page.url, '/healthz');
    assert.deepEqual([status, body.status, body.lists.users.error.kind], [503, 'failing', 'mfa_required']);
    const { body: metrics } = await request(page.url, { path: '/metrics' });
    assert.match(metrics, /\npcapi_up\{tenant="[0-9a-f-]+",list="users"\} 0\n/);
    assert.ok(metrics.includes('\npcapi_refresh_errors_total{list="users"} 1\n'));
    assert.ok(!/\npcapi_non_mfa_users[ {]/.test(metrics));
  });
});

describe('a page whose service stops responding', () => {
  it('keeps its lists, with their age and the error', async () => {
    const page = await start({ scenario: 'revoke_after=3', env: { PCAPI_REFRESH: '2' } });
    try {
      await eventually(async () => {
        const { status, body } = await json(page.url, '/api/users');
        assert.equal(status, 200);
        assert.equal(body.stale, true);
        assert.equal(body.error?.kind, 'unauthorized');
        assert.equal(body.items.length, 25);
        assert.ok(body.age >= 1);
      });
      await eventually(async () => {
        const { status, body } = await json(page.url, '/healthz');
        assert.deepEqual([status, body.lists.users.error?.kind], [503, 'unauthorized']);
        assert.ok(body.lists.users.age >= 1);
      });
    } finally {
      await page.stop();
    }
  });
});

describe('a page whose service sends hostile data', () => {
  it('still returns JSON and metrics that are UTF-8', async () => {
    const page = await start({ scenario: 'hostile' });
    try {
      const utf8 = new TextDecoder('utf-8', { fatal: true });
      for (const path of ['/api/users', '/api/adoption', '/api/requests', '/metrics']) {
        const response = await fetch(page.url + path);
        const text = utf8.decode(await response.arrayBuffer());
        if (path !== '/metrics') assert.ok(JSON.parse(text).items.length > 0);
      }
    } finally {
      await page.stop();
    }
  });
});
