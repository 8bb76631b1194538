// Takes the picture for the README: sandbox/run screenshot.mjs FILE
import { launch, open, start, token, usersOf } from './page.mjs';

const [file] = process.argv.slice(2);
const people = await usersOf(token());
const server = await start({ yesterday: people.slice(3).map((user) => user.objectId) });
const browser = await launch();
const { page } = await open(browser, server.url, { height: 955 });
await page.screenshot({ path: file });
await browser.close();
await server.stop();
