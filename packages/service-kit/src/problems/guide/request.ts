import type { Guidance } from "./guidance.ts";

/** Refusals of a request as such, before anything is looked up. */
export const requestGuide = {
  signature_missing: {
    meaning: "The request carries no signature, so nobody knows whose it is.",
    when: "`Signature-Input` or `Signature` is absent.",
    caller: "Send Signature-Input and Signature, label sig1, as docs/signing.md describes.",
    sre: "A sudden rise means a proxy that strips headers or a caller's broken release; look at which client addresses send them.",
  },
  signature_invalid: {
    meaning: "The signature is not one of this request by this key.",
    when: "The headers are not of the accepted form, a covered part was changed on the way, the secret is not the key's, or `Content-Digest` is missing or wrong.",
    caller:
      "Sign exactly the bytes that are sent, with the secret decoded from base64, and compare with docs/signature-test-vectors.json.",
    sre: "From one caller: its integration. From all: a gateway rewrites paths, queries or bodies.",
  },
  signature_expired: {
    meaning: "The signature's time is not near ours.",
    when: "`created` lies more than 300 s before or after the service's clock.",
    caller: "Set the clock by NTP and sign each attempt anew just before it is sent.",
    sre: "From one caller: its clock. From all: ours; check NTP on the issuing hosts.",
  },
  key_unknown: {
    meaning: "No key has this id here; of the request only the headers' form and the time were judged.",
    when: "The `keyid` was mistyped, does not begin with `live_` or `test_`, belongs to another environment, or was issued a moment ago and has not arrived.",
    caller: "Check the key id and the environment; retry after a few seconds if the key is new.",
    sre: "From all callers: the callers topic is not being read; check the lag of definitions and the service's start.",
  },
  key_revoked: {
    meaning: "The signature is right, but the key has been revoked. Only who holds the secret is told so.",
    when: "The key was rotated out or revoked after a leak.",
    caller: "Sign with a key that is in force.",
    sre: "Use of a revoked key after a leak is a security event: tell the caller's owner.",
  },
  token_invalid: {
    meaning: "The bearer token does not prove who is asking.",
    when: "It is absent, malformed, expired, of another issuer or audience, or signed by an unknown key.",
    caller: "Send Authorization: Bearer with a token of the configured issuer that has not expired.",
    sre: "From all operators: the issuer rotated its keys or its key set can't be read.",
  },
  identity_provider_unavailable: {
    meaning: "Whether the bearer token is right can't be told, for the issuer's keys can't be had; nothing was done.",
    when: "The key set behind `OIDC_JWKS` is away, hangs for 3 s or is no key set, and none is held from before.",
    caller: "Repeat after Retry-After; callers' signed requests are not concerned.",
    sre: "Mend the provider or the way to it; the log names the fault. Keys are held for 10 minutes.",
  },
  route_not_found: {
    meaning: "There is no such path in this service.",
    when: "The path is mistyped or belongs to another service or version.",
    caller: "Check the path against the service's /openapi.json.",
    sre: "A rise after a release means that a route was lost or a gateway sends requests to the wrong service.",
  },
  method_not_allowed: {
    meaning: "The path exists, but not with this method.",
    when: "E.g. a GET of a path that only takes POST; `Allow` lists what it takes.",
    caller: "Use one of the methods in the Allow header.",
    sre: "Nothing, unless a proxy turns a POST into a GET by following a redirect.",
  },
  body_too_large: {
    meaning: "The body is larger than any request of this interface needs.",
    when: "It exceeds 1 MiB.",
    caller: "Send at most 1 MiB; split grants into several requests.",
    sre: "From one caller: its integration. Check that the gateway's own limit is not lower.",
  },
  media_type_unsupported: {
    meaning: "The body is not declared to be what this interface reads.",
    when: "`Content-Type` is not `application/json` (in UTF-8), or the body is compressed.",
    caller: "Send Content-Type: application/json without a Content-Encoding.",
    sre: "From one caller: its integration.",
  },
  request_invalid: {
    meaning: "The request does not have the form that this call takes; `errors` points at each fault.",
    when: "Malformed JSON, repeated or unknown members, wrong types, values out of bounds, order lines that don't add up, a malformed id or header.",
    caller: "Correct what errors points at; the same request will be refused again.",
    sre: "After a release of ours: a schema got narrower than the interface promises. Otherwise the caller's integration.",
  },
  idempotency_key_missing: {
    meaning: "The change has no name under which a repetition could find its outcome.",
    when: "A claim or a reversal comes without `Idempotency-Key`.",
    caller: "Send an Idempotency-Key of 1–64 visible ASCII characters and keep it for every repetition.",
    sre: "From one caller: its integration, or a proxy that drops unknown headers.",
  },
  cursor_invalid: {
    meaning: "The page asked for can't be found by this cursor.",
    when: "The cursor was changed, comes from another listing or from other filters.",
    caller: "Pass nextCursor back unchanged with the same filters, or start from the first page.",
    sre: "After a release of ours: the cursor's form changed without the old one being read.",
  },
  precondition_required: {
    meaning: "A change of an operators' resource must say which version it means to change.",
    when: "`If-Match` is absent.",
    caller: "Read the resource and send its ETag as If-Match.",
    sre: "Nothing.",
  },
  precondition_failed: {
    meaning: "Somebody changed the resource after it was read, and that change is not lost.",
    when: "`If-Match` names an older version.",
    caller: "Read the resource again, decide anew, and send its new ETag.",
    sre: "Nothing; two operators met.",
  },
} as const satisfies Record<string, Guidance>;
