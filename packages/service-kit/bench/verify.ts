import { createHmac, hash } from "node:crypto";
import { createSignatureVerifier, type SignedRequest, type SigningKey } from "../src/index.ts";

/**
 * Prints what verifying one signed claim costs, over many keys and requests so that nothing is the same
 * twice running, beside a createHmac object over the same bytes. Run: `node bench/verify.ts`.
 */

const requestsPerRound = 50_000;
const rounds = 12;
const keyCount = 20;

const nowSeconds = Math.floor(Date.now() / 1000);
const keys = new Map<string, SigningKey>();
for (let i = 0; i < keyCount; i++) {
  keys.set(`live_${i}`, { callerId: `caller-${i}`, secret: Buffer.alloc(32, i + 1), revoked: false });
}

interface Sample {
  request: SignedRequest;
  base: string;
  secret: Buffer;
}

function sample(index: number): Sample {
  const keyId = `live_${index % keyCount}`;
  const secret = (keys.get(keyId) as SigningKey).secret;
  const rawBody = Buffer.from(JSON.stringify({ userId: `household-${index}` }));
  const digest = `sha-256=:${hash("sha256", rawBody, "base64")}:`;
  const idempotencyKey = `claim-${index}`;
  const url = `/v1/batches/b-${index % 97}/claims`;
  const params =
    `("@method" "@path" "@query" "content-digest" "idempotency-key")` +
    `;created=${nowSeconds};keyid="${keyId}";alg="hmac-sha256"`;
  const base =
    `"@method": POST\n"@path": ${url}\n"@query": ?\n"content-digest": ${digest}\n` +
    `"idempotency-key": ${idempotencyKey}\n"@signature-params": ${params}`;
  const headers = {
    "content-digest": digest,
    "idempotency-key": idempotencyKey,
    "signature-input": `sig1=${params}`,
    signature: `sig1=:${createHmac("sha256", secret).update(base).digest("base64")}:`,
  };
  return { request: { method: "POST", url, headers, rawBody }, base, secret };
}

const samples = Array.from({ length: requestsPerRound }, (_, index) => sample(index));
const verifier = createSignatureVerifier({ findKey: (keyId) => keys.get(keyId) });

function measure(name: string, run: (sample: Sample) => boolean): void {
  const micros: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    let accepted = 0;
    for (const one of samples) if (run(one)) accepted++;
    micros.push(((performance.now() - start) * 1000) / samples.length);
    if (accepted !== samples.length) throw new Error(`${name} accepted ${accepted} of ${samples.length}`);
  }
  const sorted = micros.slice(2).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] as number;
  console.log(`${name}: ${median.toFixed(2)} µs (${sorted[0]?.toFixed(2)}–${sorted.at(-1)?.toFixed(2)})`);
}

console.log(`Node ${process.version}, ${requestsPerRound} requests × ${rounds - 2} rounds, ${keyCount} keys`);
measure("verify", ({ request }) => verifier.verify(request).ok);
measure("createHmac alone", ({ base, secret }) => createHmac("sha256", secret).update(base).digest("base64") !== "");
