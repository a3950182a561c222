import { connect, type Socket } from "node:net";
import { Kafka, type LogEntry, logLevel } from "kafkajs";
import type { LogConfig, LogSink } from "../config.ts";
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

/**
 * kafkajs by itself can't be stopped: `disconnect` waits for what is in flight, and what fails connects
 * anew. So its sockets are made, and ended, here.
 */
export function createKafka(config: LogConfig, options: KafkaOptions): KafkaClient {
  const sockets = new Set<Socket>();
  let abandoned = false;
  const kafka = new Kafka({
    brokers: config.brokers,
    clientId: config.clientId,
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    retry: { retries: options.retries, initialRetryTime: 100, maxRetryTime: 1_000 },
    logLevel: config.log === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator: () => routeTo(config.log),
    socketFactory: ({ host, port, onConnect }) => {
      if (abandoned) throw new Error("this client is closed");
      const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, onConnect);
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
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
