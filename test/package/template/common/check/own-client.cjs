// A factory needs its own client and nobody else's: those of Node need none, and one that is not installed is named.
const assert = require('node:assert/strict');
const ways = { require: async (name) => require(name), import: (name) => import(name) };
(async () => {
  for (const [way, load] of Object.entries(ways)) {
    const { ConnectionFactory } = await load('nestjs-connection-pool');
    const { TcpConnectionFactory } = await load('nestjs-connection-pool/factories/tcp');
    assert.ok(new TcpConnectionFactory({ port: 7 }) instanceof ConnectionFactory, `${way}: another ConnectionFactory`);
    await assert.rejects(load('nestjs-connection-pool/factories/pg'), /Cannot find (module|package) 'pg'/, way);
  }
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
