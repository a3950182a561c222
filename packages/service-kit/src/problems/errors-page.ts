import { type RefusalCode, refusals } from "@coupon/domain";
import { guide } from "./guide/index.ts";

const opening = `# Refusals and errors, by code

Generated from \`packages/domain/src/refusals.ts\` and the guide beside it in the service kit by
\`node packages/service-kit/scripts/write-errors-page.ts\`; a test holds this page and the catalogue to each other.

Every refusal is \`application/problem+json\` (RFC 9457): \`{type, title, status, detail, code, retryable, outcome}\`, with
\`retryAfterSeconds\` and \`Retry-After\` where waiting helps, \`limit\` where a limit was met and \`errors\` where the request has
faults. \`type\` is \`urn:coupon:problem:<code>\`. The order below is the order of precedence: where several apply, the
first is answered. **Retryable** says that the same request may succeed later; **outcome unknown** that it may have
succeeded already: send the same request again, with the same key or order, and its one outcome is told.
`;

/** The text of `docs/errors.md`: a table of all codes in their order of precedence, and a section for each. */
export function errorsPage(): string {
  const codes = Object.keys(refusals) as RefusalCode[];
  const rows = codes.map((code) => {
    const { status, retryable, outcome, title } = refusals[code];
    return `| [\`${code}\`](#${code}) | ${status} | ${retryable ? "yes" : "no"} | ${outcome} | ${title} |`;
  });
  const table = ["| code | status | retryable | outcome | title |", "|---|---|---|---|---|", ...rows].join("\n");
  return `${[opening, table, ...codes.map(section)].join("\n")}`;
}

function section(code: RefusalCode): string {
  const { status, retryable, outcome } = refusals[code];
  const { meaning, when, caller, sre } = guide[code];
  return [
    "",
    `## ${code}`,
    "",
    `${status} · ${retryable ? "retryable" : "not retryable"} · outcome ${outcome}`,
    "",
    meaning,
    "",
    `- **When:** ${when}`,
    `- **The caller:** ${caller}`,
    `- **On call:** ${sre}`,
    "",
  ].join("\n");
}
