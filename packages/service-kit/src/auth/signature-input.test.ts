import { expect, test } from "vitest";
import { coveredComponents, readSignatureInput } from "./signature-input.ts";

const components = coveredComponents(false, false);
const read = (parameters: string, head = `sig1=${components}`) => readSignatureInput(head + parameters, components);

test("lists what must be covered, in order", () => {
  expect(coveredComponents(false, false)).toBe('("@method" "@path" "@query")');
  expect(coveredComponents(true, false)).toBe('("@method" "@path" "@query" "content-digest")');
  expect(coveredComponents(false, true)).toBe('("@method" "@path" "@query" "idempotency-key")');
  expect(coveredComponents(true, true)).toBe('("@method" "@path" "@query" "content-digest" "idempotency-key")');
});

test.each([
  ';created=17;keyid="live_a";alg="hmac-sha256"',
  ';keyid="live_a";created=17',
  ';alg="hmac-sha256";keyid="live_a";created=17',
])("takes the parameters %s", (parameters) => {
  expect(read(parameters)).toEqual({ params: components + parameters, createdSeconds: 17, keyId: "live_a" });
});

test.each([
  "",
  ";created=17",
  ';keyid="live_a"',
  ';created=17;keyid="live_a";alg="hmac-sha256";alg="hmac-sha256"',
  ';created=17;created=17;keyid="live_a"',
  ';created=17;keyid="live_a";keyid="live_a"',
  ';created=017;keyid="live_a"',
  ';created=-17;keyid="live_a"',
  ';created=17.0;keyid="live_a"',
  ';created="17";keyid="live_a"',
  ';created=1234567890123;keyid="live_a"',
  ';created=17;keyid=""',
  ';created=17;keyid="live a"',
  ';created=17;keyid="live_a',
  ";created=17;keyid=live_a",
  `;created=17;keyid="${"a".repeat(129)}"`,
  ';created=17;keyid="live_a";alg="HMAC-SHA256"',
  ';created=17;keyid="live_a";alg="hmac-sha256"x',
  ';created=17;keyid="live_a";',
  ';created=17;keyid="live_a" ',
  '; created=17;keyid="live_a"',
  ';created=17;keyid="live_a";expires=18',
  ';created=17;keyid="live_a", sig2=()',
  ';Created=17;keyid="live_a"',
])("refuses the parameters %s", (parameters) => {
  expect(read(parameters)).toBeNull();
});

test.each([`sig2=${components}`, `sig1 =${components}`, `sig1=${components.replace(" ", "  ")}`, "sig1=()", "sig1"])(
  "refuses the beginning %s",
  (head) => {
    expect(read(';created=17;keyid="live_a"', head)).toBeNull();
  },
);
