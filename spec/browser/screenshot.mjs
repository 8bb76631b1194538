// Takes the picture for the README: sandbox/run screenshot.mjs FILE
import { launch, open, run, start, token, usersOf } from './page.mjs';

const [file] = process.argv.slice(2);
const people = await usersOf(token());
const server = await start({ runs: [run(1, people.slice(3)), run(0, people)] });
const browser = await launch();
const { page } = await open(browser, server.url, { height: 955 });
await page.screenshot({ path: file });
await browser.close();
await server.stop();
