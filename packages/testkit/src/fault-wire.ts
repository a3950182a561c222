import { connect, type Socket } from "node:net";

/** Where a proxy forwards to. */
export interface ProxyTarget {
  readonly host?: string;
  readonly port: number;
}

/** Which way bytes go: `up` to the server, `down` back to the client. */
export type Direction = "up" | "down";

interface Faults {
  paused: boolean;
  delayMs: number;
  droppingReplies: boolean;
  refusing: boolean;
  doubling: boolean;
  /** `left` is Infinity where a whole chunk is passed on. */
  cut: { direction: Direction; left: number; done: () => void } | undefined;
  repeat: { text: string; afterMs: number } | undefined;
}

const HEALTHY: Faults = {
  ...{ paused: false, delayMs: 0, droppingReplies: false, refusing: false, doubling: false },
  ...{ cut: undefined, repeat: undefined },
};

/** One client connection with its connection to the server. */
class Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly timers = new Set<NodeJS.Timeout>();
  /** What is held back, oldest first. */
  readonly waiting: (() => void)[] = [];
  readonly frames = new Frames();

  constructor(client: Socket, server: Socket) {
    this.client = client;
    this.server = server;
  }

  end(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.waiting.length = 0;
    reset(this.client);
    reset(this.server);
  }
}

/** Puts chunks together to whole frames. */
class Frames {
  #rest: Buffer = Buffer.alloc(0);

  take(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const whole: Buffer[] = [];
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readInt32BE(0)) {
      const end = 4 + this.#rest.readInt32BE(0);
      whole.push(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
    return whole;
  }
}

/** A reset while a shutdown is under way leaves Node's socket destroyed with its handle open for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** All connections of a proxy, and what is done to them now. */
export class FaultWire {
  readonly pairs = new Set<Pair>();
  readonly bytes = { up: 0, down: 0 };
  readonly faults: Faults = { ...HEALTHY };
  readonly #framed: boolean;
  readonly #repeats = new Set<{ timer: NodeJS.Timeout; socket?: Socket }>();
  #target: ProxyTarget;
  accepted = 0;

  constructor(target: ProxyTarget, framed: boolean) {
    this.#target = target;
    this.#framed = framed;
  }

  retarget(target: ProxyTarget): void {
    this.#target = target;
  }

  heal(): void {
    Object.assign(this.faults, HEALTHY);
    this.pause(false);
  }

  close(): void {
    this.cutAll();
    for (const { timer, socket } of this.#repeats) {
      clearTimeout(timer);
      socket?.destroy();
    }
    this.#repeats.clear();
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
    from.on("data", (chunk: Buffer) => this.#later(pair, () => this.#take(pair, chunk, from, to, direction)));
    from.on("end", () => this.#later(pair, () => to.end()));
    from.on("error", () => this.#drop(pair));
    from.on("close", () => this.#later(pair, () => this.#drop(pair)));
  }

  /**
   * Order is kept, also where the delay shrinks and a later timer fires first: each timer lets the oldest go. When
   * each let its own go, bytes overtook each other, Redis' replies went to other calls, and a claim got a 500.
   */
  #later(pair: Pair, act: () => void): void {
    if (this.faults.delayMs === 0 && pair.timers.size === 0) {
      act();
      return;
    }
    pair.waiting.push(act);
    const timer = setTimeout(() => {
      pair.timers.delete(timer);
      pair.waiting.shift()?.();
    }, this.faults.delayMs);
    pair.timers.add(timer);
  }

  #drop(pair: Pair): void {
    this.pairs.delete(pair);
    pair.end();
  }

  #take(pair: Pair, chunk: Buffer, from: Socket, to: Socket, direction: Direction): void {
    if (direction === "up") this.#repeat(pair, chunk);
    const isFramed = direction === "down" && this.#framed;
    const times = isFramed && this.faults.doubling ? 2 : 1;
    for (const whole of isFramed ? pair.frames.take(chunk) : [chunk]) {
      for (let time = 0; time < times; time += 1) this.#pass(whole, from, to, direction);
    }
  }

  /** To the server of the connection that it was seen on, wherever new ones go by then. */
  #repeat({ server }: Pair, chunk: Buffer): void {
    const { repeat } = this.faults;
    if (repeat === undefined || !chunk.includes(repeat.text)) return;
    this.faults.repeat = undefined;
    const { host = "127.0.0.1", port } = this.#target;
    const [address, remotePort] = [server.remoteAddress ?? host, server.remotePort ?? port];
    const entry: { timer: NodeJS.Timeout; socket?: Socket } = {
      timer: setTimeout(() => {
        const socket = connect({ host: address, port: remotePort }, () => socket.write(chunk));
        entry.socket = socket;
        // Its reply is nobody's; with it, or without a server, it is over.
        for (const event of ["data", "error", "close"]) {
          socket.on(event, () => {
            socket.destroy();
            this.#repeats.delete(entry);
          });
        }
      }, repeat.afterMs),
    };
    this.#repeats.add(entry);
  }

  #pass(chunk: Buffer, from: Socket, to: Socket, direction: Direction): void {
    if (direction === "down" && this.faults.droppingReplies) return;
    const { cut } = this.faults;
    if (cut !== undefined && cut.direction === direction) {
      if (chunk.length >= cut.left || cut.left === Number.POSITIVE_INFINITY) {
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
