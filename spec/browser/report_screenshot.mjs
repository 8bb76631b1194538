// Takes the picture of the report for its documents: report_screenshot.mjs FILE
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch, LUA, REPOSITORY } from './page.mjs';

const [file] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'pcapi-report.'));
chmodSync(folder, 0o700);
execFileSync(LUA, ['spec/browser/report.lua', folder], { cwd: REPOSITORY });
execFileSync(LUA, ['bin/pcapi', '-q', 'report', '--html', join(folder, 'report.html'), '--tenant',
  'fabrikam', '--now', '2026-11-28T06:00:00Z'], { cwd: REPOSITORY,
  env: { ...process.env, HOME: folder, PCAPI_HISTORY: join(folder, 'full.sqlite') } });
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1200, height: 1560 } });
await page.goto(pathToFileURL(join(folder, 'report.html')).href);
await page.screenshot({ path: file });
await browser.close();
rmSync(folder, { recursive: true, force: true });
