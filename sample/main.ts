import { readdir } from 'node:fs/promises';

// Starts one of the samples: npm start 03-keepalive
const name = process.argv[2] ?? '01-quickstart';
const folder = await readdir(new URL('.', import.meta.url), { withFileTypes: true });
const samples = folder.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
if (!samples.includes(name)) {
  console.error(`There is no sample "${name}"; there are: ${samples.toSorted().join(', ')}`);
  process.exit(1);
}
await import(`./${name}/main.js`);
