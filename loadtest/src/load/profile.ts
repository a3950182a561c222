import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A load as data: how many arrive, of how many users, what they do, and what must hold. */
export interface Profile {
  description: string;
  /** Arrivals a second at the start. */
  startPerSecond: number;
  /** Each stage moves the rate linearly to `perSecond` over `seconds`. */
  stages: { perSecond: number; seconds: number }[];
  users: {
    /** Users that the arrivals are spread over. */
    total: number;
    /** Virtual users kept ready, and at most: how many requests may be under way. */
    atOnce: number;
    atOnceMax: number;
  };
  /** Of the batch that the run makes for itself. */
  stock: { total: number; perUser: number };
  /** Share of successful claims that are sent again under the same key. */
  repeatShare: number;
  /** Share of the coupons that are redeemed. */
  redeemShare: number;
  /** Codes that may be answered; every other refusal counts as `unexpected`. */
  expectedRefusals: string[];
  /** k6 thresholds by metric: a broken one fails the run. */
  thresholds: Record<string, string[]>;
}

export const maxSeconds = 3_600;
export const maxArrivals = 1_000_000;

const folder = join(import.meta.dirname, "profiles");

/** Names of the profiles that there are. */
export function profileNames(): string[] {
  return readdirSync(folder).map((it) => it.replace(/\.json$/, ""));
}

export function profileFile(name: string): string {
  return join(folder, `${name}.json`);
}

/** Reads a profile. Throws where it does not exist or is not within the bounds. */
export function readProfile(name: string): Profile {
  if (!profileNames().includes(name)) {
    throw new Error(`There is no profile ${name}; there are: ${profileNames().join(", ")}`);
  }
  const profile = JSON.parse(readFileSync(profileFile(name), "utf8")) as Profile;
  const faults = checkProfile(profile);
  if (faults.length > 0) throw new Error(`The profile ${name} is not valid: ${faults.join("; ")}`);
  return profile;
}

export function secondsOf(profile: Profile): number {
  return profile.stages.reduce((sum, it) => sum + it.seconds, 0);
}

/** Arrivals over the whole profile: the area under its rate. */
export function arrivalsOf(profile: Profile): number {
  let rate = profile.startPerSecond;
  let arrivals = 0;
  for (const stage of profile.stages) {
    arrivals += ((rate + stage.perSecond) / 2) * stage.seconds;
    rate = stage.perSecond;
  }
  return arrivals;
}

/** What is wrong with a profile, in words; a run is bounded in time and count. */
export function checkProfile(profile: Profile): string[] {
  const faults: string[] = [];
  const must = (holds: boolean, fault: string) => holds || faults.push(fault);
  const isShare = (it: number) => it >= 0 && it <= 1;
  const rates = [profile.startPerSecond, ...profile.stages.map((it) => it.perSecond)];
  must(profile.stages.length > 0, "it has no stage");
  must(
    rates.every((it) => Number.isInteger(it) && it >= 0),
    "a rate is a whole number from 0",
  );
  must(
    profile.stages.every((it) => it.seconds > 0),
    "a stage takes time",
  );
  must(secondsOf(profile) <= maxSeconds, `it takes longer than ${maxSeconds} s`);
  must(arrivalsOf(profile) <= maxArrivals, `it has more than ${maxArrivals} arrivals`);
  must(profile.users.total > 0 && profile.users.atOnce > 0, "it has no users");
  must(profile.users.atOnceMax >= profile.users.atOnce, "users.atOnceMax is less than users.atOnce");
  must(profile.stock.total > 0 && profile.stock.perUser > 0, "it has no stock");
  must(isShare(profile.repeatShare) && isShare(profile.redeemShare), "a share is from 0 to 1");
  must("unexpected" in profile.thresholds, "nothing fails the run on unexpected answers");
  must(
    Object.keys(profile.thresholds).some((it) => it.startsWith("http_req_duration")),
    "nothing fails the run on latency",
  );
  return faults;
}
