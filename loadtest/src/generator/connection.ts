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

/**
 * One keep-alive connection: the next request leaves when the last one's answer is whole, and one is there. Where it is
 * pipelined, it leaves while up to so many wait for their answers, which come in their order.
 */
export class Connection {
  readonly #host: string;
  readonly #port: number;
  readonly #owner: ConnectionOwner;
  #socket: Socket | undefined;
  /** Bytes of an answer that came in parts. */
  #partial: Buffer | undefined;
  /** When each request was sent that has no answer yet, oldest first. */
  readonly #sentAt: number[] = [];
  readonly #pipelined: number;
  #closing = false;

  constructor(host: string, port: number, pipelined: number, owner: ConnectionOwner) {
    this.#pipelined = pipelined;
    this.#host = host;
    this.#port = port;
    this.#owner = owner;
    this.#open();
  }

  /** Sends the next request; false where the connection is not free (any more). */
  wake(): boolean {
    if (!this.#hasRoom || this.#socket?.readyState !== "open") return false;
    this.#send();
    return true;
  }

  /** Closes at once, whatever is under way. */
  close(): void {
    this.#closing = true;
    this.#socket?.destroy();
  }

  get #hasRoom(): boolean {
    return this.#sentAt.length < this.#pipelined;
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
      if (this.#sentAt.length === 0) this.close();
      return;
    }
    if (request === null) {
      this.#owner.free(this);
      return;
    }
    this.#sentAt.push(performance.now());
    this.#socket?.write(request);
    if (this.#pipelined > 1 && this.#hasRoom) this.#owner.free(this);
  }

  #read(count: number): boolean {
    const partial = this.#partial;
    const bytes = partial === undefined ? shared : Buffer.concat([partial, shared.subarray(0, count)]);
    const length = partial === undefined ? count : bytes.length;
    this.#partial = undefined;
    let at = 0;
    try {
      while (at < length) {
        const rest = at === 0 ? bytes : bytes.subarray(at);
        if (!readBounds(rest, length - at, bounds) || bounds.end > length - at) break;
        at += bounds.end;
        this.#answered(bounds.status);
      }
    } catch (error) {
      this.#owner.failed(error as Error);
      return false;
    }
    // Copied where it is in what all connections share.
    if (at < length) this.#partial = bytes === shared ? Buffer.from(shared.subarray(at, length)) : bytes.subarray(at);
    return true;
  }

  #answered(status: number): void {
    const hadRoom = this.#hasRoom;
    const sentAt = this.#sentAt.shift();
    if (sentAt === undefined) throw new Error("A server sent more than it was asked for");
    this.#owner.answered(status, performance.now() - sentAt);
    // One that had room is known to be free as it is.
    if (!hadRoom) this.#send();
  }

  #closed(): void {
    for (const _ of this.#sentAt.splice(0)) this.#owner.cut();
    this.#partial = undefined;
    if (!this.#closing) setTimeout(() => this.#closing || this.#open(), reconnectDelayMs);
  }
}
