import { connect, createServer, type Server, type Socket } from "node:net";

/** Where a proxy forwards to. */
export interface ProxyTarget {
  readonly host?: string;
  readonly port: number;
}

/** Which way bytes go: `up` to the server, `down` back to the client. */
export type Direction = "up" | "down";

/** A TCP proxy whose wire can be spoiled while connections run. Everything applies to all of its connections. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  /** How many client connections are open. */
  readonly connections: number;
  /** How many client connections were ever accepted. */
  readonly accepted: number;
  /** Bytes passed on so far, by direction. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Resets all open connections. New ones are accepted. */
  cutAll(): void;
  /** Passes on that many more bytes in that direction, then resets all connections. Resolves when it has. */
  cutAfterBytes(count: number, direction?: Direction): Promise<void>;
  /** Keeps bytes back in both directions until `resume`; connections stay open. */
  pause(): void;
  resume(): void;
  /** Holds each chunk back for that long, in order. 0 ends it. */
  delay(delayMs: number): void;
  /** While on, requests reach the server and its replies are thrown away. */
  dropReplies(on: boolean): void;
  /** While on, new connections are reset at once, as if the server were away; open ones go on. */
  refuse(on: boolean): void;
  /** Cuts everything and stops listening. */
  close(): Promise<void>;
}

interface Faults {
  paused: boolean;
  delayMs: number;
  droppingReplies: boolean;
  refusing: boolean;
  cut: { direction: Direction; left: number; done: () => void } | undefined;
}

/** Starts a proxy to `target` on a free loopback port, or on `port`. */
export async function createFaultProxy(target: ProxyTarget, port = 0): Promise<FaultProxy> {
  const wire = new Wire(target);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => wire.accept(client));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, resolve);
  });
  return expose(wire, server);
}

function expose(wire: Wire, server: Server): FaultProxy {
  const { faults } = wire;
  const address = server.address() as { port: number };
  return {
    host: "127.0.0.1",
    port: address.port,
    get connections() {
      return wire.pairs.size;
    },
    get accepted() {
      return wire.accepted;
    },
    bytes: wire.bytes,
    cutAll: () => wire.cutAll(),
    cutAfterBytes: (count, direction = "up") =>
      new Promise((done) => {
        faults.cut = { direction, left: count, done };
      }),
    pause: () => wire.pause(true),
    resume: () => wire.pause(false),
    delay: (delayMs) => {
      faults.delayMs = delayMs;
    },
    dropReplies: (on) => {
      faults.droppingReplies = on;
    },
    refuse: (on) => {
      faults.refusing = on;
    },
    close: () => {
      wire.cutAll();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** One client connection with its connection to the server. */
class Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly timers = new Set<NodeJS.Timeout>();

  constructor(client: Socket, server: Socket) {
    this.client = client;
    this.server = server;
  }

  end(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    reset(this.client);
    reset(this.server);
  }
}

/** A reset while a shutdown is under way leaves Node's socket destroyed with its handle open for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

class Wire {
  readonly pairs = new Set<Pair>();
  readonly bytes = { up: 0, down: 0 };
  readonly faults: Faults = { paused: false, delayMs: 0, droppingReplies: false, refusing: false, cut: undefined };
  readonly #target: ProxyTarget;
  accepted = 0;

  constructor(target: ProxyTarget) {
    this.#target = target;
  }

  accept(client: Socket): void {
    this.accepted += 1;
    if (this.faults.refusing) {
      client.on("error", () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: this.#target.host ?? "127.0.0.1", port: this.#target.port, allowHalfOpen: true });
    const pair = new Pair(client, server);
    this.pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.#join(pair, client, server, "up");
    this.#join(pair, server, client, "down");
    if (this.faults.paused) server.pause();
    else client.resume();
  }

  cutAll(): void {
    for (const pair of this.pairs) pair.end();
    this.pairs.clear();
  }

  pause(paused: boolean): void {
    this.faults.paused = paused;
    for (const { client, server } of this.pairs) {
      for (const socket of [client, server]) paused ? socket.pause() : socket.resume();
    }
  }

  #join(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.on("data", (chunk: Buffer) => this.#later(pair, () => this.#pass(chunk, from, to, direction)));
    from.on("end", () => this.#later(pair, () => to.end()));
    from.on("error", () => this.#drop(pair));
    from.on("close", () => this.#later(pair, () => this.#drop(pair)));
  }

  /** Order is kept: timers of equal length fire in the order they were set. */
  #later(pair: Pair, act: () => void): void {
    if (this.faults.delayMs === 0 && pair.timers.size === 0) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      pair.timers.delete(timer);
      act();
    }, this.faults.delayMs);
    pair.timers.add(timer);
  }

  #drop(pair: Pair): void {
    this.pairs.delete(pair);
    pair.end();
  }

  #pass(chunk: Buffer, from: Socket, to: Socket, direction: Direction): void {
    if (direction === "down" && this.faults.droppingReplies) return;
    const { cut } = this.faults;
    if (cut !== undefined && cut.direction === direction) {
      if (chunk.length >= cut.left) {
        this.#cutHere(chunk.subarray(0, cut.left), to, direction);
        return;
      }
      cut.left -= chunk.length;
    }
    this.bytes[direction] += chunk.length;
    if (to.writable && !to.write(chunk)) {
      from.pause();
      to.once("drain", () => {
        if (!this.faults.paused) from.resume();
      });
    }
  }

  /** The last bytes are handed to the kernel before the reset, else they would be lost with it. */
  #cutHere(rest: Buffer, to: Socket, direction: Direction): void {
    const done = this.faults.cut?.done;
    this.faults.cut = undefined;
    this.bytes[direction] += rest.length;
    const cut = (): void => {
      this.cutAll();
      done?.();
    };
    if (rest.length === 0 || !to.writable) cut();
    else to.write(rest, cut);
  }
}
