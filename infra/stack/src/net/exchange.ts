import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** A TCP address. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One request sent over a fresh connection, and when its reply is whole. */
export interface Exchange extends Address {
  readonly request: Buffer;
  /** Answers the bytes that matter once enough have come, `undefined` to read on. */
  readonly complete: (received: Buffer) => Buffer | undefined;
  readonly tls?: boolean;
  readonly timeoutMs?: number;
}

/** Most bytes that a probe reads before it gives up. */
const REPLY_BYTES_MAX = 1 << 20;

/**
 * Sends one request and returns the reply, or `undefined` when nobody listens, the connection ends early
 * or the reply isn't whole in time. Never throws: probes ask again.
 */
export function exchange(options: Exchange): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const { host, port } = options;
    const socket: Socket =
      options.tls === true ? connectTls({ host, port, servername: host }) : connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (reply: Buffer | undefined): void => {
      socket.destroy();
      resolve(reply);
    };
    socket.setTimeout(options.timeoutMs ?? 2_000, () => finish(undefined));
    socket.once(options.tls === true ? "secureConnect" : "connect", () => socket.write(options.request));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > REPLY_BYTES_MAX) return finish(undefined);
      const reply = options.complete(received);
      if (reply !== undefined) finish(reply);
    });
    socket.on("error", () => finish(undefined));
    socket.on("close", () => finish(undefined));
  });
}
