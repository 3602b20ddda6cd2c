// Whoever asks for the package, and however, gets the same one: an error of one copy is no instance of another's class.
const assert = require('node:assert/strict');
(async () => {
  for (const door of ['', '/testing', '/factories/tcp']) {
    const name = `nestjs-connection-pool${door}`;
    const required = require(name);
    const imported = await import(name);
    const { required: again } = await import('./require-from-esm.mjs').then((module) => module.load(name));
    const names = Object.keys(required).filter((key) => key !== 'default');
    assert.ok(names.length > 0, `${name} exports nothing`);
    for (const key of names) {
      assert.equal(imported[key], required[key], `${name}: import and require give two ${key}`);
      assert.equal(again[key], required[key], `${name}: require from a module gives another ${key}`);
    }
    console.log(`${name}: ${names.length} exports, one copy`);
  }
  assert.match(require('nestjs-connection-pool/package.json').version, /^\d/);
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
