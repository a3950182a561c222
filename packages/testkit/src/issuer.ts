import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { temporaryFolder } from "./temporary-folder.ts";

const ISSUER = "https://issuer.test";
const AUDIENCE = "coupon-platform";

/** An OIDC issuer of a test's own: a key set in a file, and tokens. */
export interface Issuer {
  /** Settings of a service that accepts its tokens. */
  env: { OIDC_ISSUER: string; OIDC_AUDIENCE: string; OIDC_JWKS: string };
  token(subject: string, roles: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function createIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const directory = temporaryFolder("issuer");
  const jwks = join(directory, "jwks.json");
  await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: "ES256", kid: "1" }] }));
  return {
    env: { OIDC_ISSUER: ISSUER, OIDC_AUDIENCE: AUDIENCE, OIDC_JWKS: jwks },
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
