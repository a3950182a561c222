import { connect, type Socket } from "node:net";
import { Kafka, type LogEntry, logLevel } from "kafkajs";
import { type LogConfig, type LogSink, parseBroker } from "../config.ts";
import { calmIdleTimers } from "./idle-timers.ts";

calmIdleTimers();

export interface KafkaOptions {
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  retries: number;
}

/** A kafkajs client whose connections can all be ended at once. */
export interface KafkaClient {
  kafka: Kafka;
  /** Closes every connection and lets no new one be made, so that nothing of this client stays behind. */
  abandon(): void;
}

/** Brokers close connections that have been idle for minutes (10 by default); nothing is lost with those. */
const IDLE_MS = 60_000;

/**
 * kafkajs by itself can't be stopped: `disconnect` waits for what is in flight, and what fails connects
 * anew. So its sockets are made, and ended, here.
 *
 * @throws RangeError where a broker is not written `host:port`
 * @param onBroken called when a connection that was in use is lost. The client must be thrown away then: kafkajs
 * 2.2.4 keeps the bytes of a response that was cut short and reads the next connection's answers behind
 * them, after which nothing is understood any more.
 */
export function createKafka(config: LogConfig, options: KafkaOptions, onBroken?: (error: Error) => void): KafkaClient {
  for (const broker of config.brokers) parseBroker(broker);
  const sockets = new Set<Socket>();
  let abandoned = false;

  const watch = (socket: Socket) => {
    let usedAtMs = 0;
    const used = () => {
      usedAtMs = performance.now();
    };
    socket.once("connect", used);
    socket.on("data", used);
    socket.once("close", () => {
      sockets.delete(socket);
      const inUse = usedAtMs > 0 && performance.now() - usedAtMs < IDLE_MS;
      if (inUse && !abandoned)
        onBroken?.(new Error(`the connection to ${socket.remoteAddress ?? "a broker"} was lost`));
    });
    sockets.add(socket);
  };

  const kafka = new Kafka({
    brokers: shuffled(config.brokers),
    clientId: config.clientId,
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    retry: { retries: options.retries, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: config.log === undefined ? logLevel.NOTHING : logLevel.INFO,
    // What a client says of connections that were closed on purpose is no news.
    logCreator: () => routeTo((...message) => (abandoned ? undefined : config.log?.(...message))),
    socketFactory: ({ host, port, onConnect }) => {
      if (abandoned) throw new Error("this client is closed");
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, onConnect);
      watch(socket);
      return socket;
    },
  });
  return {
    kafka,
    abandon() {
      abandoned = true;
      for (const socket of sockets) socket.destroy(new Error("this client is closed"));
    },
  };
}

/** kafkajs asks the first of the list first, every time. */
function shuffled(brokers: string[]): string[] {
  return brokers
    .map((broker) => ({ broker, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ broker }) => broker);
}

function routeTo(sink: LogSink | undefined): (entry: LogEntry) => void {
  return ({ level, log, namespace }) => {
    const { message, timestamp: _timestamp, logger: _logger, ...fields } = log;
    sink?.(levelName(level), `kafka ${namespace}: ${message}`, fields);
  };
}

function levelName(level: logLevel): "error" | "warn" | "info" | "debug" {
  if (level === logLevel.ERROR) return "error";
  if (level === logLevel.WARN) return "warn";
  return level === logLevel.INFO ? "info" : "debug";
}
