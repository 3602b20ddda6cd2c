import { postgres } from './postgres.js';
import { PrivateServer } from './private-server.js';
import { childrenOf } from './processes.js';

/** A program that starts a server, pauses it, says what there is of it, and then only waits to be killed. */
const server = await PrivateServer.start(postgres());
const pids = [server.pid!, ...childrenOf(new Set([server.pid!]))];
server.pause();
console.log(JSON.stringify({ pids, folder: server.folder }));
setInterval(() => {}, 1_000);
