import { check } from "k6";
import exec from "k6/execution";
import http, { type RefinedResponse } from "k6/http";
import { Counter, Rate } from "k6/metrics";
import type { Options } from "k6/options";
import type { LoggedRequest } from "../logged-request.ts";
import type { Profile } from "../profile.ts";
import type { ScenarioSettings } from "./settings.ts";
import { signedHeaders } from "./signing.ts";

/**
 * Run by k6, not by Node: users claim from one batch, some say it again under the same key, some redeem what they
 * got. The rate of arrivals is the profile's and doesn't wait for answers. Every request is logged for the verdict.
 */
const profile: Profile = JSON.parse(open(__ENV.PROFILE_FILE ?? ""));
const settings: ScenarioSettings = JSON.parse(__ENV.SETTINGS ?? "");
/** As the SDK: after an unknown outcome the same request is sent again, but not for ever. */
const maxAttempts = 3;
const requestTimeout = "10s";

/** Answers that neither succeed nor are a refusal that the profile expects. */
const unexpected = new Counter("unexpected");
/** Share of requests that were refused for now: 429 or 503. */
const unavailable = new Rate("unavailable");

export const options: Options = {
  scenarios: {
    coupons: {
      executor: "ramping-arrival-rate",
      startRate: profile.startPerSecond,
      timeUnit: "1s",
      stages: profile.stages.map((it) => ({ target: it.perSecond, duration: `${it.seconds}s` })),
      preAllocatedVUs: profile.users.atOnce,
      maxVUs: profile.users.atOnceMax,
      // Long enough for every request under way to end: one that is never logged could not be judged.
      gracefulStop: "60s",
    },
  },
  thresholds: profile.thresholds,
  summaryTrendStats: ["p(50)", "p(95)", "p(99)", "max"],
};

export default function arrive(): void {
  const iteration = exec.scenario.iterationInTest;
  // Spreads arrivals over the users without an order that a cache or a shard could like.
  const user = (iteration * 2_654_435_761) % profile.users.total;
  const userId = `load-${settings.runId}-${user}`;
  const key = `${settings.runId}-${iteration}`;
  const couponId = claim(userId, key);
  if (couponId === "") return;
  if (isChosen(iteration, profile.repeatShare)) claim(userId, key);
  if (isChosen(iteration + 0.5, profile.redeemShare)) redeem(userId, `order-${key}`, couponId);
}

function claim(userId: string, key: string): string {
  const body = JSON.stringify({ userId });
  const path = `/v1/batches/${settings.batchId}/claims`;
  return send({ operation: "claim", key, userId, couponId: "" }, path, body, key);
}

function redeem(userId: string, orderId: string, couponId: string): void {
  const line = { lineId: "1", productId: settings.productId, quantity: 1, unitAmount: 2_000 };
  const order = { amount: 2_000, currency: "USD", lines: [line] };
  const body = JSON.stringify({ userId, couponIds: [couponId], order });
  send({ operation: "redeem", key: orderId, userId, couponId }, `/v1/orders/${orderId}/redeem`, body);
}

type Asked = Pick<LoggedRequest, "operation" | "key" | "userId" | "couponId">;

/** Sends, logs, and sends again while the outcome is unknown. Returns the coupon of a success, else "". */
function send(asked: Asked, path: string, body: string, idempotencyKey?: string): string {
  const key = { keyId: settings.keyId, secret: settings.secret };
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const headers = signedHeaders(key, path, body, idempotencyKey);
    const tags = { operation: asked.operation, name: asked.operation };
    const response = http.request("POST", settings.issuing + path, body, { headers, tags, timeout: requestTimeout });
    const logged = toLogged(asked, response);
    console.log(JSON.stringify(logged));
    unavailable.add(logged.status === 429 || logged.status === 503);
    const expected = logged.outcome === "success" || profile.expectedRefusals.includes(logged.code);
    check(logged, { "answered as expected": () => expected });
    if (!expected) unexpected.add(1);
    if (logged.outcome !== "unknown") return logged.outcome === "success" ? logged.couponId : "";
  }
  return "";
}

function toLogged(asked: Asked, response: RefinedResponse<"text">): LoggedRequest {
  const { status } = response;
  const requestId = response.headers["Request-Id"] ?? "";
  const answer = readBody(response);
  if (status === 200 || status === 201) {
    const couponId = asked.operation === "claim" ? (answer.couponId ?? "") : asked.couponId;
    return { ...asked, requestId, couponId, status, code: "", outcome: "success" };
  }
  const outcome = answer.outcome === "none" ? "refused" : "unknown";
  return { ...asked, requestId, status, code: answer.code ?? "", outcome };
}

function readBody(response: RefinedResponse<"text">): { couponId?: string; code?: string; outcome?: string } {
  try {
    return JSON.parse(response.body);
  } catch {
    return {};
  }
}

/** Takes the given share of all, the same ones in every run. */
function isChosen(position: number, share: number): boolean {
  return (position * 0.618_033_988_749_895) % 1 < share;
}

export function handleSummary(summary: unknown): Record<string, string> {
  return { [settings.summaryFile]: JSON.stringify(summary) };
}
