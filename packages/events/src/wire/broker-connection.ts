import { connect, type Socket } from "node:net";
import { LogUnavailable } from "../errors.ts";
import { Writer } from "./writer.ts";

interface Waiting {
  correlationId: number;
  writer: Writer;
  resolve(response: Buffer): void;
  reject(error: LogUnavailable): void;
}

const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;
/** Size, API key, version and correlation id; the client id follows. */
const REQUEST_HEADER_BYTES = 16;

/**
 * One TCP connection to one broker. Answers come in the order of the requests. The first thing that goes
 * wrong ends the connection and rejects whatever waits; a connection that has ended is never used again.
 */
export class BrokerConnection {
  readonly #socket: Socket;
  readonly #clientId: string;
  readonly #onEnd: (error: LogUnavailable) => void;
  readonly #waiting: Waiting[] = [];
  readonly #writers: Writer[] = [];
  #correlationId = 0;
  #received: Buffer = Buffer.alloc(0);
  #ended: LogUnavailable | null = null;
  readonly opened: Promise<void>;

  /** @param onEnd called once, when the connection has ended for any reason but `close` */
  constructor(host: string, port: number, clientId: string, onEnd: (error: LogUnavailable) => void) {
    this.#clientId = clientId;
    this.#onEnd = onEnd;
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once("connect", resolve);
      this.#socket.once("close", () => reject(this.#ended ?? new LogUnavailable(`${host}:${port} closed`)));
    });
    this.opened.catch(() => {});
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (error) => this.#fail(`connection to ${host}:${port}: ${error.message}`, error));
    this.#socket.on("close", () => this.#fail(`${host}:${port} closed the connection`));
  }

  /** Sends a request whose body `write` appends to the writer, and resolves with the body of its answer. */
  request(apiKey: number, apiVersion: number, write: (writer: Writer) => void): Promise<Buffer> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const writer = this.#writers.pop() ?? new Writer();
    const correlationId = this.#correlationId;
    this.#correlationId = (correlationId + 1) & 0x7fffffff;
    writer.position = 0;
    writer.reserve(REQUEST_HEADER_BYTES + this.#clientId.length);
    writer.int32(0);
    writer.int16(apiKey);
    writer.int16(apiVersion);
    writer.int32(correlationId);
    writer.string(this.#clientId);
    write(writer);
    writer.patchInt32(0, writer.position - 4);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ correlationId, writer, resolve, reject });
      this.#socket.write(writer.buffer.subarray(0, writer.position));
    });
  }

  /** Ends the connection at once; what waits is rejected with `error`. */
  close(error: LogUnavailable): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #fail(reason: string, cause?: unknown): void {
    if (this.#ended !== null) return;
    const error = new LogUnavailable(reason, { cause });
    this.close(error);
    this.#onEnd(error);
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (this.#received.length - at >= 8 && this.#ended === null) {
      const size = this.#received.readInt32BE(at);
      if (size < 4 || size > RESPONSE_BYTES_MAX) {
        this.#fail(`a response of ${size} bytes`);
        return;
      }
      if (this.#received.length - at - 4 < size) break;
      this.#answer(this.#received.readInt32BE(at + 4), this.#received.subarray(at + 8, at + 4 + size));
      at += 4 + size;
    }
    this.#received = this.#received.subarray(at);
  }

  #answer(correlationId: number, body: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined || waiting.correlationId !== correlationId) {
      if (waiting !== undefined) this.#waiting.unshift(waiting);
      this.#fail(`an answer to request ${correlationId}, which was not the next`);
      return;
    }
    // Only now is the request known to have left the buffer.
    this.#writers.push(waiting.writer);
    waiting.resolve(body);
  }
}
