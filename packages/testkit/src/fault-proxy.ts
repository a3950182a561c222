import { createServer, type Server } from "node:net";
import { type Direction, FaultWire, type ProxyTarget } from "./fault-wire.ts";

export type { Direction, ProxyTarget } from "./fault-wire.ts";

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
  /** Passes on the next bytes that go up, whole, and resets all connections: the request runs, and nobody hears of it. */
  cutAfterRequest(): void;
  /** Sends the next bytes that go up and hold `text` once more, over a connection of their own, after that long. */
  repeatRequest(text: string, afterMs: number): void;
  /** While on, every reply is passed on twice. For a proxy made with `framed`. */
  doubleReplies(on: boolean): void;
  /** New connections go there from now on; open ones stay where they are. */
  retarget(target: ProxyTarget): void;
  /** Ends every fault; what is held back goes on. Open connections stay. */
  heal(): void;
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

/** Settings of a proxy for good. */
export interface ProxyOptions {
  /** Whether replies are frames that begin with their length in four bytes, as Kafka's are: only then they can be doubled. */
  readonly framed?: boolean;
}

/** Starts a proxy to `target` on a free loopback port, or on `port`. */
export async function createFaultProxy(target: ProxyTarget, port = 0, options: ProxyOptions = {}): Promise<FaultProxy> {
  const wire = new FaultWire(target, options.framed === true);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => wire.accept(client));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, resolve);
  });
  return expose(wire, server);
}

function expose(wire: FaultWire, server: Server): FaultProxy {
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
    cutAfterRequest: () => {
      faults.cut = { direction: "up", left: Number.POSITIVE_INFINITY, done: () => undefined };
    },
    repeatRequest: (text, afterMs) => {
      faults.repeat = { text, afterMs };
    },
    doubleReplies: (on) => {
      faults.doubling = on;
    },
    retarget: (target) => wire.retarget(target),
    heal: () => wire.heal(),
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
      wire.close();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
