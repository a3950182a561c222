import { once } from "node:events";
import { Server } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Service } from "./service.ts";

/** How often connections that have fallen idle are closed at the end. */
const sweepEveryMs = 20;

/** So many turns of the loop at most take up connections that wait; counted, since one turn under load may take long. */
const takeUpTurnsMax = 500;

/**
 * Takes a service out of traffic without cutting a request off. It stops listening at once, but for the
 * connections that wait already (on a shared port the others take over), and says `/readyz` 503; connections that are there are served on, each with
 * `Connection: close` in its next answer, for at most `lameDuckMs`; then those that are idle are closed,
 * which would otherwise reset requests on their way, and the requests under way are waited for. The whole
 * is bounded by whoever calls, as `runService` does.
 */
export async function drain(app: Service, options: { lameDuckMs?: number } = {}): Promise<void> {
  const { server } = app;
  app.lifecycle.draining = true;
  if (server.listening) {
    await takeUpWaiting(server);
    const ended = once(server, "close").then(() => true);
    // Of net, for http's own close would also close the connections that are idle just now.
    Server.prototype.close.call(server);
    let isOver = await Promise.race([ended, sleep(options.lameDuckMs ?? 1_000, false, { ref: false })]);
    while (!isOver) {
      server.closeIdleConnections();
      isOver = await Promise.race([ended, sleep(sweepEveryMs, false)]);
    }
  }
  await app.close();
}

/**
 * Accepts what the kernel has queued, which closing would reset. Node takes one connection a turn of its loop; two
 * turns without any, since the first may end before it looked.
 */
async function takeUpWaiting(server: Server): Promise<void> {
  let idleTurns = 0;
  const onConnection = () => {
    idleTurns = -1;
  };
  server.on("connection", onConnection);
  for (let turn = 0; idleTurns < 2 && turn < takeUpTurnsMax; turn++) {
    await nextTurn();
    idleTurns += 1;
  }
  server.off("connection", onConnection);
}
