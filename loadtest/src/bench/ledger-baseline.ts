import { hash } from "node:crypto";
import { createPositions, type Pool, writeEntries } from "@coupon/database";
import { countMessage, type Entry, newPartitionCount } from "@coupon/domain";
import type { LogMessage, LogReader } from "@coupon/events";
import { LedgerRows } from "@coupon/ledger/src/applying/ledger-rows.ts";
import type { TermsSource } from "@coupon/ledger/src/posting/terms.ts";

/** As the ledger is set up: when a transaction is large enough, and how many are under way. */
const rowsMax = 5_000;
const bytesMax = 1024 * 1024;
const transactionsAtOnce = 3;

/** Writes messages of the log to a database of its own, with everything made ready before the clock starts. */
export class LedgerBaseline {
  readonly #pool: Pool;
  readonly #reader: LogReader;

  readonly #terms: TermsSource;

  constructor(pool: Pool, reader: LogReader, terms: TermsSource) {
    this.#pool = pool;
    this.#reader = reader;
    this.#terms = terms;
  }

  /** Rows a second over the messages between these ends of the log. */
  async measure(from: ReadonlyMap<number, number>, to: ReadonlyMap<number, number>): Promise<number> {
    const transactions: LedgerRows[][] = [];
    for (const [partition, start] of from) {
      const end = to.get(partition) ?? start;
      if (end > start) transactions.push(await this.#prepare(partition, start, end));
    }
    const rows = transactions.flat().reduce((sum, it) => sum + it.rows, 0);
    const startedAt = performance.now();
    await this.#writeAll(transactions);
    return (rows * 1_000) / (performance.now() - startedAt);
  }

  /** A partition's transactions are written in their order, partitions side by side. */
  async #writeAll(partitions: LedgerRows[][]): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let mine = partitions[next++]; mine !== undefined; mine = partitions[next++]) {
        for (const rows of mine) await writeEntries(this.#pool, rows.write());
      }
    };
    await Promise.all(Array.from({ length: transactionsAtOnce }, worker));
  }

  async #prepare(partition: number, from: number, to: number): Promise<LedgerRows[]> {
    const messages: LogMessage[] = [];
    await this.#reader.read(partition, from, to, (some) => void messages.push(...some));
    await createPositions(this.#pool, [partition]);
    await this.#pool.query("UPDATE ledger.partition_position SET position = $2 WHERE partition = $1", [
      partition,
      from,
    ]);
    const transactions: LedgerRows[] = [];
    const state = newPartitionCount(messages[0]?.epoch ?? -1);
    let rows = new LedgerRows(this.#terms);
    let start = from;
    let bytes = 0;
    const close = (end: number) => {
      rows.advance({ partition, from: start, to: end, epoch: state.epoch });
      transactions.push(rows);
      rows = new LedgerRows(this.#terms);
      start = end;
      bytes = 0;
    };
    for (const message of messages) {
      if (message.marker !== null) {
        countMessage(state, { ...message, epoch: -1, marker: true });
        continue;
      }
      const entry = JSON.parse(message.text) as Entry;
      rows.add(partition, entry, hash("sha1", message.text, "hex"));
      bytes += message.text.length;
      if (rows.rows >= rowsMax || bytes >= bytesMax) close(message.offset + 1);
    }
    if (start < to) close(to);
    return transactions;
  }
}
