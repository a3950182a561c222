import type { Discount } from "@coupon/domain";
import { plain, quoted } from "./quoted.ts";
import type {
  CouponRequest,
  DeactivateOutcome,
  DeactivateRequest,
  DiscountVerdict,
  LockOutcome,
  LockRequest,
  RedeemOutcome,
  RedeemRequest,
  RefusedOutcome,
  ReleaseOutcome,
  ReleaseRequest,
  ReverseOutcome,
  ReverseRequest,
} from "./shard-calls.ts";

/** How requests of one kind go into their script, and outcomes come out. */
export interface CouponCall<Request extends { serial: number }, Outcome> {
  readonly script: "lock" | "redeem" | "release" | "reverse" | "deactivate";
  pack(request: Request): string[];
  parse(line: string, request: Request): Outcome;
}

const orderOf = ({ callerId, orderId }: CouponRequest): string =>
  `${plain(callerId, "a caller id")}/${plain(orderId, "an order id")}`;

const bit = (value: boolean): string => (value ? "1" : "0");

/** The start of an item in an entry; the script closes it. */
const itemStem = ({ serial, userId, callerId, orderId }: CouponRequest): string =>
  `{"serial":${serial},"userId":${quoted(userId)},"callerId":${quoted(callerId)},"orderId":${quoted(orderId)}`;

const verdictOf = (verdict: DiscountVerdict): [kind: string, discount: string] => [
  verdict.kind,
  verdict.kind === "discount" ? JSON.stringify(verdict.discount) : "",
];

function refusedOutcome(line: string): RefusedOutcome {
  if (line.charAt(0) !== "x") throw new Error(`a script answered ${JSON.stringify(line)}`);
  return { kind: "refused", code: line.slice(1) as RefusedOutcome["code"] };
}

const COLD = { kind: "cold" } as const;

/** Splits "r0 1700000000000 {…}": letter, replayed, time, discount. */
function timedDiscount(line: string): { replayed: boolean; timeMs: number; discount: Discount } {
  const end = line.indexOf(" ", 3);
  return {
    replayed: line.charAt(1) === "1",
    timeMs: Number(line.slice(3, end)),
    discount: JSON.parse(line.slice(end + 1)) as Discount,
  };
}

export const lockCall: CouponCall<LockRequest, LockOutcome> = {
  script: "lock",
  pack: (request) => [
    `${request.serial}`,
    request.userId,
    orderOf(request),
    bit(request.permitted),
    itemStem(request),
    plain(request.payload, "a payload hash"),
    `${request.holdMs}`,
    `${request.validFromMs}`,
    `${request.validUntilMs}`,
    ...verdictOf(request.verdict),
  ],
  parse: (line) => {
    if (line === "c") return COLD;
    if (line.charAt(0) !== "l") return refusedOutcome(line);
    const { replayed, timeMs, discount } = timedDiscount(line);
    return { kind: "locked", replayed, untilMs: timeMs, discount };
  },
};

export const redeemCall: CouponCall<RedeemRequest, RedeemOutcome> = {
  script: "redeem",
  pack: (request) => {
    const { order, validFromMs, validUntilMs } = request;
    const stem = [`${request.serial}`, request.userId, orderOf(request), bit(request.permitted), itemStem(request)];
    if (order === undefined) return [...stem, "", `${validFromMs}`, `${validUntilMs}`, ""];
    const payload = plain(order.payload, "a payload hash");
    if (payload === "") throw new TypeError("an order that is given has a payload hash");
    const { verdict } = order;
    const discount = verdict.kind === "discount" ? JSON.stringify(verdict.discount) : verdict.kind;
    return [...stem, payload, `${validFromMs}`, `${validUntilMs}`, discount];
  },
  parse: (line, { order }) => {
    if (line.charAt(0) === "g" && order?.verdict.kind === "discount") {
      return {
        kind: "redeemed",
        replayed: false,
        redeemedAtMs: Number(line.slice(1)),
        discount: order.verdict.discount,
      };
    }
    if (line === "c") return COLD;
    if (line.charAt(0) !== "r") return refusedOutcome(line);
    const { replayed, timeMs, discount } = timedDiscount(line);
    return { kind: "redeemed", replayed, redeemedAtMs: timeMs, discount };
  },
};

const STATES = { e: "effective", l: "locked", r: "redeemed", d: "deactivated" } as const;

export const releaseCall: CouponCall<ReleaseRequest, ReleaseOutcome> = {
  script: "release",
  pack: (request) => [`${request.serial}`, request.userId, orderOf(request), bit(request.permitted), itemStem(request)],
  parse: (line) => {
    if (line === "c") return COLD;
    const isUsed = line.charAt(0) === "u";
    const state = STATES[(isUsed ? line.slice(1) : line) as keyof typeof STATES];
    if (state === undefined) return refusedOutcome(line);
    return isUsed ? { kind: "released", state, used: true } : { kind: "released", state };
  },
};

export const reverseCall: CouponCall<ReverseRequest, ReverseOutcome> = {
  script: "reverse",
  pack: (request) => {
    const { serial, keyHash, payload, reversalId, reason, remaining, restored } = request;
    const reversed = JSON.stringify(request.reversed);
    plain(keyHash, "a key hash");
    plain(payload, "a payload hash");
    plain(reversalId, "a reversal id");
    const item =
      `${itemStem(request)},"reversalId":"${reversalId}","keyHash":"${keyHash}","payload":"${payload}",` +
      `"reason":${JSON.stringify(reason)},"reversed":${reversed},"remaining":${remaining},"restored":${restored}}`;
    return [
      `${serial}`,
      orderOf(request),
      bit(request.permitted),
      item,
      `${request.recordVersion}`,
      keyHash,
      payload,
      reversalId,
      `${remaining}`,
      bit(restored),
      reversed,
    ];
  },
  parse: (line) => {
    if (line === "c") return COLD;
    if (line === "s") return { kind: "stale" };
    return line.charAt(0) === "v" ? { kind: "reversed", reversedAtMs: Number(line.slice(1)) } : refusedOutcome(line);
  },
};

export const deactivateCall: CouponCall<DeactivateRequest, DeactivateOutcome> = {
  script: "deactivate",
  pack: ({ serial, reason }) => [`${serial}`, `{"serial":${serial},"reason":${JSON.stringify(reason)}}`],
  parse: (line) =>
    line === "d" ? { kind: "deactivated" } : (refusedOutcome(line) as Extract<DeactivateOutcome, { kind: "refused" }>),
};
