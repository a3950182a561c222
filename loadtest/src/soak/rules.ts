import type { FigureName } from "./sample.ts";

/** Kinds of processes that are judged alike. */
export type Kind = "node" | "redis" | "kafka" | "postgres" | "platform";

/** How a figure is judged after the warm-up. */
export type Rule =
  /** It may grow by so much an hour. Growth that is not certain, or less than `least` in all, is none. */
  | { judge: "slope"; perHour: number; least: number }
  /** As `slope`, with a limit for each request. */
  | { judge: "request"; perRequest: number; least: number }
  /** It grows with the coupons, by so many bytes for each at most. */
  | { judge: "coupon"; perCoupon: number }
  /** No look may find more. */
  | { judge: "most"; most: number }
  /** It is shown, and nothing follows from it. */
  | { judge: "shown" };

const MiB = 2 ** 20;

/**
 * One object in V8 takes 12 bytes at least, so heap that grows by less than 8 bytes a request keeps nothing of a
 * request. The first megabyte is code and type feedback that V8 still makes.
 */
const heap: Rule = { judge: "request", perRequest: 8, least: MiB };
/** Allocators give memory back late and in pieces: what leaks natively only has to show over hours. */
const resident: Rule = { judge: "slope", perHour: 48 * MiB, least: 8 * MiB };
/** Pools open a few connections late. One that is left behind even once in a thousand calls makes hundreds an hour. */
const open: Rule = { judge: "slope", perHour: 20, least: 5 };

export const rules: Record<Kind, Partial<Record<FigureName, Rule>>> = {
  node: { resident, heap, external: heap, descriptors: open, connections: open, timers: open, handles: open },
  redis: {
    // Every coupon stays until its batch is over (24–40 B), and two days with it the record of one that was used and
    // the tie of its order (in this load two of three have them). An outbox that is never trimmed adds 300 B an entry.
    resident: { judge: "coupon", perCoupon: 450 },
    connections: open,
    descriptors: open,
  },
  kafka: {
    // Its heap is fixed at 512 MiB and taken bit by bit, and garbage in it waits for a collection that seldom comes.
    heap: { judge: "most", most: 410 * MiB },
    resident: { judge: "most", most: (512 + 256) * MiB },
    descriptors: { judge: "shown" },
    connections: open,
  },
  postgres: { resident, connections: open },
  platform: {
    outbox: { judge: "most", most: 64 },
    lag: { judge: "most", most: 5 },
    p99: { judge: "shown" },
  },
};

export function kindOf(subject: string): Kind {
  if (subject === "redis" || subject === "kafka" || subject === "postgres" || subject === "platform") return subject;
  return "node";
}
