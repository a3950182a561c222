import { runService } from "@coupon/service-kit";
import { startCampaigns } from "./compose.ts";
import { readConfig } from "./config.ts";

await runService({ name: "campaigns", start: async () => startCampaigns(readConfig(process.env)) });
