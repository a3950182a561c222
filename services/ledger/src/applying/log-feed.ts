import { isRefusedByData } from "@coupon/database";
import { createEntryConsumer, type EntryConsumer, type LogConfig, LogTruncated } from "@coupon/events";
import type { Logger } from "@coupon/service-kit";
import type { LedgerMetrics, PartitionGauge } from "../metrics.ts";
import type { AppliedPositions } from "./applied-positions.ts";
import { type Applier, type ApplierObserver, isOvertaken } from "./applier.ts";
import type { Lane } from "./lane.ts";

/** Tells metrics, the log and the reads that wait what becomes of the work. */
export function observe(
  resources: { metrics: LedgerMetrics; positions: AppliedPositions; logger: Logger },
  onLost: () => void,
): ApplierObserver {
  const { metrics, positions, logger } = resources;
  return {
    committed({ stretches, rows, entries, seconds }) {
      metrics.committed(rows, entries, seconds);
      for (const { lane, to } of stretches) positions.advance(lane.partition, to);
    },
    failed(error) {
      if (isOvertaken(error)) return metrics.failed("overtaken");
      metrics.failed(isRefusedByData(error) ? "refused" : "unavailable");
      logger.warn({ err: error }, "a transaction failed; going on from what PostgreSQL has");
    },
    halted({ partition, halt }) {
      if (halt === null) return;
      metrics.halted(halt.reason);
      logger.error({ partition, reason: halt.reason }, `partition ${partition} is halted: ${halt.detail}`);
    },
    lost({ partition }) {
      logger.warn({ partition }, "what comes next is not at hand; reading the log again from what PostgreSQL has");
      onLost();
    },
  };
}

/** The log's consumer, made anew where everything has to be read again from what PostgreSQL has. */
export class LogFeed {
  readonly #make: () => EntryConsumer;
  readonly #logger: Logger;
  readonly #applier: Applier;
  #consumer: EntryConsumer;
  #changing: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(resources: {
    config: LogConfig;
    groupId: string;
    sessionTimeoutMs: number;
    applier: Applier;
    logger: Logger;
    createConsumer?: typeof createEntryConsumer;
  }) {
    const { config, groupId, sessionTimeoutMs, applier, logger, createConsumer = createEntryConsumer } = resources;
    this.#applier = applier;
    this.#logger = logger;
    this.#make = () =>
      createConsumer({
        config,
        groupId,
        sessionTimeoutMs,
        positionOf: (partition) => applier.positionOf(partition),
        onBatch: (batch) => applier.accept(batch),
        onAlarm: (alarm) =>
          applier.halt(alarm.partition, alarm instanceof LogTruncated ? "truncated" : "shrunk", alarm.message),
      });
    this.#consumer = this.#make();
  }

  /** @throws LogUnavailable where nothing is assigned within 30 s */
  start(): Promise<void> {
    return this.#consumer.start();
  }

  /** Reads everything again from the positions stored; harmless to ask for more than once. */
  reread(): void {
    this.#changing = this.#changing.then(async () => {
      if (this.#stopped) return;
      await this.#consumer.stop();
      await this.#startAnew();
    });
  }

  /** For as long as it takes: while nothing is read, nobody comes to ask for it again. */
  async #startAnew(): Promise<void> {
    while (!this.#stopped) {
      this.#consumer = this.#make();
      try {
        return await this.#consumer.start();
      } catch (error) {
        this.#logger.error({ err: error }, "the log can't be read; trying again");
        await this.#consumer.stop();
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#changing;
    await this.#consumer.stop();
  }

  get assigned(): number {
    return this.#consumer.lag().size;
  }

  /** Time up to which everything in the log has been applied, of the partitions assigned here. */
  asOfMs(nowMs: number): number {
    const lags = this.partitions(nowMs).map((each) => each.lagSeconds);
    return nowMs - Math.max(0, ...lags) * 1_000;
  }

  /** The partitions assigned here, now. */
  partitions(nowMs: number): PartitionGauge[] {
    return [...this.#consumer.lag()].map(([partition, { position, end }]) => {
      const lane = this.#applier.lanes.get(partition);
      return gaugeOf(partition, lane, position, end, nowMs);
    });
  }
}

function gaugeOf(
  partition: number,
  lane: Lane | undefined,
  position: number,
  end: number,
  nowMs: number,
): PartitionGauge {
  const applied = lane?.applied ?? position;
  const lagMessages = Math.max(0, Math.max(end, lane?.end ?? 0) - applied);
  const since = lane === undefined || lane.appliedAtMs === 0 ? nowMs : lane.appliedAtMs;
  const lagSeconds = lagMessages === 0 ? 0 : Math.max(0, nowMs - since) / 1_000;
  return { partition, applied, lagMessages, lagSeconds, halted: lane !== undefined && lane.halt !== null };
}
