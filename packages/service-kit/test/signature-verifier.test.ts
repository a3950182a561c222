import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSignatureVerifier, type SignedRequest, type SigningKey } from "../src/index.ts";
import { key, keys, revokedKey, revokedKeyId, signedRequest } from "./signed.ts";

const nowSeconds = 1_770_000_000;
const verifier = createSignatureVerifier({ findKey: (keyId) => keys.get(keyId), nowMs: () => nowSeconds * 1000 });
const codeOf = (request: SignedRequest) => {
  const verdict = verifier.verify(request);
  return verdict.ok ? "accepted" : verdict.code;
};
const claim = (more: object = {}) =>
  signedRequest({
    method: "POST",
    url: "/v1/batches/b-1/claims?x=1",
    body: '{"userId":"user-1"}',
    idempotencyKey: "k-1",
    createdSeconds: nowSeconds,
    ...more,
  });

const id = fc.stringMatching(/^[A-Za-z0-9._:@-]{1,40}$/);
const requests = fc.record(
  {
    method: fc.constantFrom("GET", "POST", "PUT"),
    url: fc.stringMatching(/^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,300}(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]{0,300})?$/),
    body: fc.string({ minLength: 1, maxLength: 400, unit: "grapheme" }),
    idempotencyKey: fc.stringMatching(/^[\x21-\x7e]{1,64}$/),
    createdSeconds: fc.integer({ min: nowSeconds - 300, max: nowSeconds + 300 }),
    secret: fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
    keyId: id,
  },
  { requiredKeys: ["method", "url", "createdSeconds", "secret", "keyId"] },
);

test("whatever is signed by the book is accepted, by any key, of any length", () => {
  fc.assert(
    fc.property(requests, (request) => {
      const own: SigningKey = { callerId: "c", secret: request.secret, revoked: false };
      const open = createSignatureVerifier({
        findKey: (keyId) => (keyId === request.keyId ? own : undefined),
        nowMs: () => nowSeconds * 1000,
      });
      expect(open.verify(signedRequest(request))).toEqual({ ok: true, key: own });
    }),
    { numRuns: 500 },
  );
});

test("a base beyond the reused buffer is verified too", () => {
  const url = `/v1/users/u/coupons?cursor=${"a".repeat(6_000)}`;
  const request = signedRequest({ method: "GET", url, createdSeconds: nowSeconds });
  expect(codeOf(request)).toBe("accepted");
  expect(codeOf({ ...request, url: `${url}a` })).toBe("signature_invalid");
});

describe("tampering", () => {
  /** Puts another character in one place. */
  const change = (text: string, at: number, by: string) => text.slice(0, at) + by + text.slice(at + 1);
  const place = fc.nat();
  const character = fc.stringMatching(/^[\x20-\x7e]$/);
  const refused = ["signature_invalid", "key_unknown", "signature_expired"];

  test.each(["signature-input", "signature", "content-digest", "idempotency-key"])(
    "any byte of %s is refused",
    (name) => {
      fc.assert(
        fc.property(place, character, (anywhere, by) => {
          const request = claim();
          const value = request.headers[name] as string;
          const changed = change(value, anywhere % value.length, by);
          fc.pre(changed !== value);
          request.headers[name] = changed;
          expect(refused).toContain(codeOf(request));
        }),
        { numRuns: 2_000 },
      );
    },
  );

  test("any byte of the body is refused", () => {
    fc.assert(
      fc.property(place, fc.integer({ min: 1, max: 255 }), (anywhere, flip) => {
        const request = claim();
        const body = request.rawBody as Buffer;
        const at = anywhere % body.length;
        body[at] = (body[at] as number) ^ flip;
        expect(codeOf(request)).toBe("signature_invalid");
      }),
      { numRuns: 500 },
    );
  });

  test("any byte of method and target is refused", () => {
    fc.assert(
      fc.property(fc.constantFrom("method" as const, "url" as const), place, character, (part, anywhere, by) => {
        const request = claim();
        const changed = change(request[part], anywhere % request[part].length, by);
        fc.pre(changed !== request[part]);
        request[part] = changed;
        expect(codeOf(request)).toBe("signature_invalid");
      }),
      { numRuns: 1_000 },
    );
  });

  test("every single bit of the signature counts, also those that base64 decoding would drop", () => {
    const request = claim();
    const signature = request.headers.signature as string;
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (const letter of alphabet) {
      request.headers.signature = change(signature, 48, letter);
      if (request.headers.signature !== signature) expect(codeOf(request)).toBe("signature_invalid");
    }
  });

  test("a removed or an added covered header is refused", () => {
    for (const name of ["content-digest", "idempotency-key"]) {
      const request = claim();
      delete request.headers[name];
      expect(codeOf(request)).toBe("signature_invalid");
    }
    const bare = signedRequest({ method: "GET", url: "/v1/orders/o", createdSeconds: nowSeconds });
    expect(codeOf({ ...bare, headers: { ...bare.headers, "idempotency-key": "k" } })).toBe("signature_invalid");
    expect(codeOf({ ...bare, rawBody: Buffer.from("x") })).toBe("signature_invalid");
  });

  test("a character that only shares its low byte with the signed one is refused", () => {
    const request = claim();
    request.url = request.url.replace("b-1", "\u0162-1");
    expect(codeOf(request)).toBe("signature_invalid");
  });
});

test("a line break smuggled into a value can't stand for another component", () => {
  const request = claim();
  request.url = '/v1/batches/b-1/claims?x=1\n"content-digest": x';
  expect(codeOf(request)).toBe("signature_invalid");
});

test("a header that came twice, joined by the HTTP parser, is refused", () => {
  for (const name of ["signature-input", "signature", "idempotency-key", "content-digest"]) {
    const request = claim();
    request.headers[name] = `${request.headers[name]}, ${request.headers[name]}`;
    expect(codeOf(request)).toBe("signature_invalid");
  }
});

test("an empty body counts as none, and a digest that is sent with none must be that of none", () => {
  const request = signedRequest({ method: "POST", url: "/v1/x", body: "", createdSeconds: nowSeconds });
  expect(codeOf({ ...request, rawBody: null })).toBe("accepted");
  expect(codeOf({ ...request, rawBody: Buffer.from("x") })).toBe("signature_invalid");
});

test("of a body that was too large to read the signature is judged and the digest is not", () => {
  const request = { ...claim(), rawBody: null, bodyUnread: true };
  expect(codeOf(request)).toBe("accepted");
  delete (request.headers as Record<string, string>)["content-digest"];
  expect(codeOf(request)).toBe("signature_invalid");
});

describe("precedence", () => {
  const revoked = { keyId: revokedKeyId, secret: revokedKey.secret };
  test.each([
    ["nothing", {}, "accepted"],
    ["time outranks an unknown key", { keyId: "live_nobody", createdSeconds: nowSeconds - 301 }, "signature_expired"],
    ["an unknown key in time", { keyId: "live_nobody", createdSeconds: nowSeconds - 300 }, "key_unknown"],
    ["a wrong secret outranks time", { secret: Buffer.alloc(32), createdSeconds: 0 }, "signature_invalid"],
    ["a wrong secret hides a revocation", { ...revoked, secret: key.secret }, "signature_invalid"],
    ["time outranks a revocation", { ...revoked, createdSeconds: nowSeconds - 301 }, "signature_expired"],
    ["a revocation comes last", revoked, "key_revoked"],
  ])("%s", (_name, more, code) => {
    expect(codeOf(claim(more))).toBe(code);
  });

  test("missing outranks all", () => {
    const request = claim({ keyId: "live_nobody", createdSeconds: 0 });
    delete request.headers.signature;
    expect(codeOf(request)).toBe("signature_missing");
  });
});
