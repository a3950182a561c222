import { runService } from "@coupon/service-kit";
import { startIssuing } from "./compose.ts";
import { readConfig } from "./config.ts";

await runService({ name: "issuing", start: () => startIssuing(readConfig(process.env)), closeWithinMs: 20_000 });
