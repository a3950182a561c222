import { connect, type Socket } from "node:net";
import { type ResponseBounds, readBounds } from "./response.ts";

/** What a connection asks of the run that it belongs to. */
export interface ConnectionOwner {
  /** The next request, undefined once there is nothing more to send, or null: wait until woken. */
  next(): Buffer | undefined | null;
  /** The connection is free and waits for `wake`. */
  free(connection: Connection): void;
  answered(status: number, latencyMs: number): void;
  /** The connection went away with a request under way: that request's outcome is unknown. */
  cut(): void;
  failed(error: Error): void;
}

// libuv fills it and calls back before it reads the next socket, so that all connections can share one buffer.
const shared = Buffer.allocUnsafeSlow(256 * 1024);
const bounds: ResponseBounds = { status: 0, end: 0 };
const reconnectDelayMs = 20;

/** One keep-alive connection: the next request leaves when the last one's answer is whole, and one is there. */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  readonly #owner: ConnectionOwner;
  #socket: Socket | undefined;
  /** Bytes of an answer that came in parts. */
  #partial: Buffer | undefined;
  #sentAt = 0;
  #waiting = false;
  #closing = false;

  constructor(host: string, port: number, owner: ConnectionOwner) {
    this.#host = host;
    this.#port = port;
    this.#owner = owner;
    this.#open();
  }

  /** Sends the next request; false where the connection is not free (any more). */
  wake(): boolean {
    if (this.#waiting || this.#socket?.readyState !== "open") return false;
    this.#send();
    return true;
  }

  /** Closes at once, whatever is under way. */
  close(): void {
    this.#closing = true;
    this.#socket?.destroy();
  }

  #open(): void {
    const socket = connect({
      host: this.#host,
      port: this.#port,
      noDelay: true,
      onread: { buffer: shared, callback: (count) => this.#read(count) },
    });
    this.#socket = socket;
    socket.once("connect", () => this.#send());
    socket.on("error", () => undefined);
    socket.once("close", () => this.#closed());
  }

  #send(): void {
    const request = this.#owner.next();
    if (request === undefined) {
      this.close();
      return;
    }
    if (request === null) {
      this.#owner.free(this);
      return;
    }
    this.#waiting = true;
    this.#sentAt = performance.now();
    this.#socket?.write(request);
  }

  #read(count: number): boolean {
    const partial = this.#partial;
    const bytes = partial === undefined ? shared : Buffer.concat([partial, shared.subarray(0, count)]);
    const length = partial === undefined ? count : bytes.length;
    try {
      if (!readBounds(bytes, length, bounds) || bounds.end > length) {
        this.#partial = partial === undefined ? Buffer.from(shared.subarray(0, count)) : bytes;
        return true;
      }
      if (bounds.end < length || !this.#waiting) throw new Error("A server sent more than it was asked for");
    } catch (error) {
      this.#owner.failed(error as Error);
      return false;
    }
    this.#partial = undefined;
    this.#waiting = false;
    this.#owner.answered(bounds.status, performance.now() - this.#sentAt);
    this.#send();
    return true;
  }

  #closed(): void {
    if (this.#waiting) this.#owner.cut();
    this.#waiting = false;
    this.#partial = undefined;
    if (!this.#closing) setTimeout(() => this.#closing || this.#open(), reconnectDelayMs);
  }
}
