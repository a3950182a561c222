import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

export const ISSUER = "https://issuer.test";
export const AUDIENCE = "coupon-platform";

/** An OIDC issuer of a test's own: a key set in a file, and tokens. */
export interface Issuer {
  jwks: string;
  token(subject: string, roles: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function createIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const directory = await mkdtemp(join(tmpdir(), "coupon-issuer-"));
  const jwks = join(directory, "jwks.json");
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "1" }] }));
  return {
    jwks,
    token: (subject, roles) =>
      new SignJWT({ roles })
        .setProtectedHeader({ alg: "ES256", kid: "1" })
        .setSubject(subject)
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setIssuedAt()
        .setExpirationTime("1h")
        .sign(privateKey),
    close: () => rm(directory, { recursive: true, force: true }),
  };
}
