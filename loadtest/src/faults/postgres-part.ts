import { setTimeout as sleep } from "node:timers/promises";
import { createPool, type Pool } from "@coupon/database";
import { type Running, startPostgres } from "@coupon/stack";
import type { FaultProxy } from "@coupon/testkit";

const CAUGHT_WITHIN_MS = 1_500;
const POLL_MS = 5;

/** A PostgreSQL of the simulator's own: commits that were acknowledged survive its end, as in production. */
export class PostgresPart {
  readonly proxy: FaultProxy;
  readonly #directory: string;
  #server: Running;

  constructor(directory: string, proxy: FaultProxy, server: Running) {
    this.#directory = directory;
    this.proxy = proxy;
    this.#server = server;
    proxy.retarget({ port: server.port });
  }

  static start(directory: string, port?: number): Promise<Running> {
    const settings = { synchronous_commit: "on" };
    return startPostgres({ directory, ephemeral: true, settings, ...(port === undefined ? {} : { port }) });
  }

  get url(): string {
    return this.#server.url;
  }

  /**
   * Ends it at once, while transactions that have written everything but their lines are open: they are kept from the
   * books until then. Without any within some time it is ended all the same.
   *
   * @returns how many transactions were open
   */
  async restart(databaseUrl: string, awayMs: number): Promise<number> {
    const pool = createPool({ databaseUrl, max: 2, statementTimeoutMs: 3_000, connectionTimeoutMs: 3_000 });
    try {
      const holder = await pool.connect();
      // Its end is what is meant to happen.
      holder.on("error", () => {});
      await holder.query("BEGIN");
      await holder.query("LOCK TABLE ledger.posting IN SHARE MODE");
      const open = await waitForOpen(pool);
      this.#server.kill("SIGQUIT");
      await this.#server.child.exited;
      holder.release(true);
      await sleep(awayMs);
      this.#server = await PostgresPart.start(this.#directory, this.#server.port);
      return open;
    } finally {
      await pool.end();
    }
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

/** Waits until transactions of others stand still at the books, and counts them. */
async function waitForOpen(pool: Pool): Promise<number> {
  const until = performance.now() + CAUGHT_WITHIN_MS;
  for (;;) {
    const { rows } = await pool.query<{ open: number }>(
      `SELECT count(*)::integer AS open FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND xact_start IS NOT NULL`,
    );
    const open = rows[0]?.open ?? 0;
    if (open > 0 || performance.now() > until) return open;
    await sleep(POLL_MS);
  }
}
