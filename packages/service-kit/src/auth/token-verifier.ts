import { readFile } from "node:fs/promises";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { StartFailure } from "../start-failure.ts";

/** Who a bearer token speaks for. */
export interface Operator {
  subject: string;
  roles: readonly string[];
}

export type TokenVerdict =
  | { ok: true; operator: Operator }
  | { ok: false; code: "token_invalid"; detail: string }
  /** The token can be neither accepted nor rejected: `because` is for the log. */
  | { ok: false; code: "identity_provider_unavailable"; because: unknown };

export interface TokenVerifier {
  /** Judges the value of an `Authorization` header. */
  verify(authorization: string | undefined): Promise<TokenVerdict>;
}

export interface TokenVerifierOptions {
  issuer: string;
  audience: string;
  /** An http(s) URL, or the path of a file that holds a JSON Web Key Set. */
  jwks: string;
  /** Name of the claim that lists the roles. */
  rolesClaim?: string;
}

const clockToleranceSeconds = 5;
const algorithms = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];

/**
 * Verifies operators' bearer tokens: JWTs of one issuer for one audience, signed with an asymmetric key
 * of its key set, in time, with a subject. Roles come from a claim that is a list of strings.
 *
 * @throws {StartFailure} when a key set file can't be read. Of a remote one that can't be had, verdicts tell.
 */
export async function createTokenVerifier(options: TokenVerifierOptions): Promise<TokenVerifier> {
  const keys = await loadKeys(options.jwks);
  const rolesClaim = options.rolesClaim ?? "roles";
  return {
    async verify(authorization) {
      const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "")?.[1];
      if (token === undefined) return invalid("Send Authorization: Bearer with a token of the issuer.");
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: options.issuer,
          audience: options.audience,
          algorithms,
          clockTolerance: clockToleranceSeconds,
          requiredClaims: ["sub", "exp"],
        });
        const roles = payload[rolesClaim];
        if (typeof payload.sub !== "string" || payload.sub === "") return invalid("The token has no subject.");
        return {
          ok: true,
          operator: { subject: payload.sub, roles: Array.isArray(roles) ? roles.filter(isText) : [] },
        };
      } catch (error) {
        const detail = describe(error);
        if (detail === null) return { ok: false, code: "identity_provider_unavailable", because: error };
        return invalid(detail);
      }
    },
  };
}

function invalid(detail: string): TokenVerdict {
  return { ok: false, code: "token_invalid", detail };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** What the token's bearer may know; null for failures that are not the token's. */
function describe(error: unknown): string | null {
  if (error instanceof errors.JWTExpired) return "The token has expired.";
  if (error instanceof errors.JWTClaimValidationFailed) return `The token's claim "${error.claim}" is not acceptable.`;
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return null;
  return error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC" ? "The token is not valid." : null;
}

async function loadKeys(source: string): Promise<JWTVerifyGetKey> {
  if (/^https?:\/\//.test(source)) return createRemoteJWKSet(new URL(source), { timeoutDuration: 3_000 });
  try {
    return createLocalJWKSet(JSON.parse(await readFile(source, "utf8")) as JSONWebKeySet);
  } catch {
    throw new StartFailure(`The key set ${source} can't be read; set OIDC_JWKS to a JSON Web Key Set's URL or file.`);
  }
}
