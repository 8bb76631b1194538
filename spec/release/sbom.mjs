// Checks an SBOM against the JSON schema of CycloneDX: sbom.mjs FILE. Prints what is wrong.
import { readFileSync } from 'node:fs';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';

const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
const problems = await validator.validate(readFileSync(process.argv[2], 'utf8'));
if (problems !== null) {
  console.log(JSON.stringify(problems, null, 2));
  process.exit(1);
}
console.log('valid');
