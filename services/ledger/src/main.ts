import { runService } from "@coupon/service-kit";
import { startLedger } from "./compose.ts";
import { readConfig } from "./config.ts";

await runService({ name: "ledger", start: () => startLedger(readConfig(process.env)), closeWithinMs: 20_000 });
