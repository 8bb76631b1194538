// Takes the picture for the README: sandbox/run screenshot.mjs FILE
import { launch, open, run, start, token, usersOf } from './page.mjs';

const [file] = process.argv.slice(2);
const people = await usersOf(token());
const days = [80, 66, 52, 40, 31, 24, 17, 12, 8, 5, 3, 2, 1]; // from a few users to all but three
const runs = days.map((day, i) => run(day, people.slice(20 - Math.round((i * 17) / 12))));
const server = await start({ runs: [...runs, run(0, people)] });
const browser = await launch();
const { page } = await open(browser, server.url, { height: 955 });
await page.screenshot({ path: file });
await browser.close();
await server.stop();
