import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";

/** Secrets of one local stack, made once and kept in `.local/secrets.json` (mode 0600). Keys are base64 of 32 bytes. */
export interface StackSecrets {
  /** MAC keys of coupon ids by version. */
  readonly couponKeys: Readonly<Record<string, string>>;
  /** Keys the hashes of users and idempotency keys. */
  readonly hashKey: string;
  /** Seals callers' secrets in the callers topic. */
  readonly callerSecretsKey: string;
  /** Bearer secret between our own services. */
  readonly internalToken: string;
  /** The demonstration caller's HMAC secret. */
  readonly demoCallerSecret: string;
  /** Private ES256 key that signs operators' tokens. */
  readonly operatorKey: JWK;
}

/** Roles that the operators' API knows, in the claim `roles`. */
export type OperatorRole = "operator" | "approver" | "viewer" | "finance";

/** Issuer and audience of the operators' tokens of a local stack. */
export const LOCAL_ISSUER = "http://localhost/coupon-local-stack";
export const LOCAL_AUDIENCE = "coupon-platform";

/** The public keys of a local stack, for `OIDC_JWKS`. */
export function jwksPath(local: string): string {
  return join(local, "jwks.json");
}

/** Writes a file that only its owner may read; it appears whole or not at all. */
export function writePrivate(path: string, value: unknown): void {
  const incoming = `${path}.new`;
  writeFileSync(incoming, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  // The mode above counts only when the file is new.
  chmodSync(incoming, 0o600);
  renameSync(incoming, path);
}

async function make(): Promise<StackSecrets> {
  const key = (): string => randomBytes(32).toString("base64");
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const operatorKey = {
    ...(await exportJWK(privateKey)),
    kid: randomBytes(8).toString("hex"),
    alg: "ES256",
    use: "sig",
  };
  return {
    couponKeys: { "1": key() },
    hashKey: key(),
    callerSecretsKey: key(),
    internalToken: randomBytes(32).toString("base64url"),
    demoCallerSecret: key(),
    operatorKey,
  };
}

/**
 * Reads the stack's secrets from the folder `local`, or makes them on the first start, and writes the public
 * key set beside them. They stay, for coupons issued under them must stay valid.
 */
export async function loadSecrets(local: string): Promise<StackSecrets> {
  const path = join(local, "secrets.json");
  mkdirSync(local, { recursive: true });
  if (!existsSync(path)) writePrivate(path, await make());
  const secrets = JSON.parse(readFileSync(path, "utf8")) as StackSecrets;
  const { d: _private, ...publicKey } = secrets.operatorKey;
  writePrivate(jwksPath(local), { keys: [publicKey] });
  return secrets;
}

/**
 * Signs a bearer JWT for the operators' API of this stack.
 * `ttlSeconds` defaults to 7 days: API.md promises at least one.
 */
export async function signOperatorToken(
  secrets: Pick<StackSecrets, "operatorKey">,
  { subject, roles, ttlSeconds = 7 * 86_400 }: { subject: string; roles: readonly OperatorRole[]; ttlSeconds?: number },
): Promise<string> {
  const key = await importJWK(secrets.operatorKey, "ES256");
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ roles })
    .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: secrets.operatorKey.kid ?? "" })
    .setIssuer(LOCAL_ISSUER)
    .setAudience(LOCAL_AUDIENCE)
    .setSubject(subject)
    .setIssuedAt(now)
    .setExpirationTime(now + ttlSeconds)
    .sign(key);
}
