import { type Draft, sign, type Vector } from "./make.ts";

/** Time at which all vectors are judged, in seconds since the Unix epoch. */
export const nowSeconds = 1_767_225_600;

const text = (bytes: Buffer) => bytes.toString("base64");

export const keys = [
  { keyId: "test_shop_1", secret: text(Buffer.alloc(32, 0x51)), revoked: false },
  { keyId: "test_long_1", secret: text(Buffer.alloc(100, 0x4c)), revoked: false },
  { keyId: "test_revoked_1", secret: text(Buffer.alloc(32, 0x52)), revoked: true },
];

const other = Buffer.alloc(32, 0x58);
const claimBody = '{"userId":"household-2375"}';
const claim: Draft = {
  method: "POST",
  target: "/v1/batches/batch-26-a/claims",
  body: claimBody,
  idempotencyKey: "visit-0001",
  keyId: "test_shop_1",
  createdSeconds: nowSeconds,
};
const unkeyed: Draft = {
  method: "POST",
  target: "/v1/orders/order-7/release",
  body: '{"userId":"household-2375","couponIds":["11000000000000000000000000000000"]}',
  keyId: "test_shop_1",
  createdSeconds: nowSeconds,
};
const wallet: Draft = {
  method: "GET",
  target: "/v1/users/household-2375/coupons?state=effective&limit=10",
  body: null,
  keyId: "test_shop_1",
  createdSeconds: nowSeconds,
};

interface Case {
  name: string;
  note: string;
  draft: Draft;
  /** In place of the key's own. */
  secret?: Buffer;
  verdict: string;
  canonical?: true;
  /** What happens to the request after it was signed. */
  spoil?: (request: Vector["request"]) => void;
}

const accepted: Case[] = [
  { name: "claim", note: "A body and an idempotency key.", draft: claim },
  { name: "wallet", note: "A query; no body.", draft: wallet },
  {
    name: "no-query",
    note: 'Without a query the value of @query is "?".',
    draft: { ...wallet, target: "/v1/orders/order-7" },
  },
  {
    name: "release",
    note: "A body without an idempotency key.",
    draft: unkeyed,
  },
  {
    name: "encoded-target",
    note: "Path and query are signed as they are sent, percent-encodings and all.",
    draft: { ...wallet, target: "/v1/users/a%40b%3Ac/coupons?state=effective&cursor=a%2Bb%3D%3D" },
  },
  {
    name: "utf-8-body",
    note: "The digest is of the bytes sent, here UTF-8.",
    draft: { ...claim, body: '{"all":true,"reason":"退款 – ¡sí!"}', target: "/v1/orders/order-7/reversals" },
  },
  {
    name: "long-secret",
    note: "A secret longer than 64 bytes is hashed first, as HMAC says.",
    draft: { ...claim, keyId: "test_long_1" },
  },
  { name: "oldest", note: "300 s old.", draft: { ...claim, createdSeconds: nowSeconds - 300 } },
  { name: "earliest", note: "300 s ahead.", draft: { ...claim, createdSeconds: nowSeconds + 300 } },
].map((one) => ({ ...one, verdict: "accepted", canonical: true }));

const acceptedOtherwise: Case[] = [
  {
    name: "empty-query",
    note: 'A target that ends in "?" also has the query "?".',
    draft: { ...wallet, target: "/v1/orders/order-7?" },
  },
  {
    name: "parameter-order",
    note: "Parameters come in any order and alg may be left out.",
    draft: { ...claim, parameters: `;keyid="test_shop_1";created=${nowSeconds}` },
  },
  {
    name: "several-digests",
    note: "Content-Digest lists a second algorithm; the sha-256 one counts, the whole value is signed.",
    draft: {
      ...claim,
      contentDigest: "sha-512=:AAAA:, sha-256=:Bmm9YEZA+IJsb73a76/PaVDm0KAXt1Tk+Nynx6wjcYw=:",
    },
  },
].map((one) => ({ ...one, verdict: "accepted" }));

const refused: Case[] = [
  {
    name: "missing",
    note: "No Signature header.",
    draft: claim,
    verdict: "signature_missing",
    spoil: ({ headers }) => delete headers.signature,
  },
  {
    name: "body-changed",
    note: "One byte of the body differs from what the digest is of.",
    draft: claim,
    verdict: "signature_invalid",
    spoil: (request) => {
      request.body = claimBody.replace("2375", "2376");
    },
  },
  {
    name: "digest-missing",
    note: "A body without a Content-Digest.",
    draft: { ...claim, components: '"@method" "@path" "@query" "idempotency-key"' },
    verdict: "signature_invalid",
    spoil: ({ headers }) => delete headers["content-digest"],
  },
  {
    name: "key-not-covered",
    note: "The Idempotency-Key is there but not covered.",
    draft: { ...claim, components: '"@method" "@path" "@query" "content-digest"' },
    verdict: "signature_invalid",
  },
  {
    name: "key-changed",
    note: "The Idempotency-Key was changed on the way.",
    draft: claim,
    verdict: "signature_invalid",
    spoil: ({ headers }) => {
      headers["idempotency-key"] = "visit-0002";
    },
  },
  {
    name: "component-order",
    note: "The right components in another order.",
    draft: { ...claim, components: '"@path" "@method" "@query" "content-digest" "idempotency-key"' },
    verdict: "signature_invalid",
  },
  {
    name: "more-components",
    note: "One component more than is agreed.",
    draft: { ...wallet, components: '"@method" "@path" "@query" "@authority"' },
    verdict: "signature_invalid",
  },
  {
    name: "query-changed",
    note: "The query was changed on the way.",
    draft: wallet,
    verdict: "signature_invalid",
    spoil: (request) => {
      request.target = request.target.replace("limit=10", "limit=99");
    },
  },
  {
    name: "method-changed",
    note: "Another method than the one signed.",
    draft: wallet,
    verdict: "signature_invalid",
    spoil: (request) => {
      request.method = "HEAD";
    },
  },
  {
    name: "wrong-secret",
    note: "Signed with another secret.",
    draft: claim,
    secret: other,
    verdict: "signature_invalid",
  },
  {
    name: "other-label",
    note: "Any other label than sig1.",
    draft: claim,
    verdict: "signature_invalid",
    spoil: ({ headers }) => {
      headers["signature-input"] = (headers["signature-input"] as string).replace("sig1", "sig2");
      headers.signature = (headers.signature as string).replace("sig1", "sig2");
    },
  },
  {
    name: "other-algorithm",
    note: "alg is there and is not hmac-sha256.",
    draft: { ...claim, parameters: `;created=${nowSeconds};keyid="test_shop_1";alg="hmac-sha512"` },
    verdict: "signature_invalid",
  },
  {
    name: "created-twice",
    note: "Each parameter comes once.",
    draft: { ...claim, parameters: `;created=${nowSeconds};created=${nowSeconds};keyid="test_shop_1"` },
    verdict: "signature_invalid",
  },
  {
    name: "other-parameter",
    note: "No other parameter than created, keyid and alg.",
    draft: { ...claim, parameters: `;created=${nowSeconds};keyid="test_shop_1";nonce="n-1"` },
    verdict: "signature_invalid",
  },
  {
    name: "expired",
    note: "301 s old.",
    draft: { ...claim, createdSeconds: nowSeconds - 301 },
    verdict: "signature_expired",
  },
  {
    name: "ahead",
    note: "301 s ahead.",
    draft: { ...claim, createdSeconds: nowSeconds + 301 },
    verdict: "signature_expired",
  },
  {
    name: "key-unknown",
    note: "No key has this id.",
    draft: { ...claim, keyId: "test_nobody" },
    secret: other,
    verdict: "key_unknown",
  },
  {
    name: "unknown-and-expired",
    note: "The time is judged before the key is missed.",
    draft: { ...claim, keyId: "test_nobody", createdSeconds: nowSeconds - 301 },
    secret: other,
    verdict: "signature_expired",
  },
  {
    name: "key-revoked",
    note: "The signature is right; the key is revoked.",
    draft: { ...claim, keyId: "test_revoked_1" },
    verdict: "key_revoked",
  },
  {
    name: "revoked-and-wrong",
    note: "Who does not hold the secret does not learn that the key is revoked.",
    draft: { ...claim, keyId: "test_revoked_1" },
    secret: other,
    verdict: "signature_invalid",
  },
  {
    name: "revoked-and-expired",
    note: "The time is judged before the revocation.",
    draft: { ...claim, keyId: "test_revoked_1", createdSeconds: nowSeconds - 301 },
    verdict: "signature_expired",
  },
];

/** The text of `docs/signature-test-vectors.json`. */
export function signatureVectorsFile(): string {
  const vectors = [...accepted, ...acceptedOtherwise, ...refused].map(toVector);
  const about = "See docs/signing.md. Secrets are base64 and for these vectors only; judge all of them at nowSeconds.";
  return `${JSON.stringify({ about, nowSeconds, keys, vectors }, null, 2)}\n`;
}

function toVector({ name, note, draft, secret, verdict, canonical, spoil }: Case): Vector {
  const own = keys.find(({ keyId }) => keyId === draft.keyId)?.secret ?? "";
  const signed = sign(draft, secret ?? Buffer.from(own, "base64"));
  spoil?.(signed.request);
  return { name, note, ...signed, verdict, canonical: canonical ?? false };
}
