import { type LogConfig, type Topic, topicName } from "../config.ts";
import { LogUnavailable } from "../errors.ts";
import { LogSession } from "./log-session.ts";

/** A topic to write to and ask about, over one session at a time: the one after a failure is a fresh one. */
export class LogLink {
  readonly #config: LogConfig;
  readonly #topic: string;
  #current: LogSession | null = null;
  #closed = false;

  constructor(config: LogConfig, topic: Topic) {
    this.#config = config;
    this.#topic = topicName(config, topic);
  }

  session(): LogSession {
    if (this.#closed) throw new LogUnavailable("the connection to the log was closed here");
    if (this.#current !== null) return this.#current;
    const session = new LogSession(this.#config, this.#topic, () => {
      if (this.#current === session) this.#current = null;
    });
    this.#current = session;
    return session;
  }

  close(): void {
    this.#closed = true;
    this.#current?.end(new LogUnavailable("the connection to the log was closed here"));
  }
}
