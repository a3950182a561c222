import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ShortHmac } from "./hmac.ts";

it("gives the HMAC-SHA256 of node:crypto, message after message", () => {
  const anyKey = fc.uint8Array({ minLength: 1, maxLength: 64 });
  const anyMessages = fc.array(fc.uint8Array({ maxLength: 150 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(anyKey, anyMessages, (key, messages) => {
      const mac = new ShortHmac(key, 150);
      for (const message of messages) {
        mac.message.set(message);
        const digest = Buffer.from(mac.digest(message.length), "latin1");
        expect(digest.toString("hex")).toBe(createHmac("sha256", key).update(message).digest("hex"));
      }
    }),
  );
});

it("refuses a key that would have to be hashed first, and none", () => {
  expect(() => new ShortHmac(new Uint8Array(65), 10)).toThrow(RangeError);
  expect(() => new ShortHmac(new Uint8Array(0), 10)).toThrow(RangeError);
});
