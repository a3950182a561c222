import { parseArgs } from "node:util";

export interface ReplayOptions {
  /** Coupons of each kind for each household. */
  perUser: number;
  /** Only these campaigns; all where it is empty. */
  campaigns: number[];
  /** Leave the stack's data in place. */
  keep: boolean;
}

/** Reads `[--per-user n] [--campaign n]… [--keep]`. Throws with one sentence where they can't be read. */
export function readReplayOptions(args: string[]): ReplayOptions {
  const { values } = parseArgs({
    args: args.filter((it) => it !== "--"),
    options: {
      "per-user": { type: "string", default: "1" },
      campaign: { type: "string", multiple: true, default: [] },
      keep: { type: "boolean", default: false },
    },
  });
  const perUser = Number(values["per-user"]);
  if (!Number.isInteger(perUser) || perUser < 1 || perUser > 10) throw new Error("--per-user is a number from 1 to 10");
  const campaigns = values.campaign.map(Number);
  if (campaigns.some((it) => !Number.isInteger(it) || it < 1 || it > 27)) {
    throw new Error("--campaign is the number of a campaign of the data set, from 1 to 27");
  }
  return { perUser, campaigns, keep: values.keep };
}
