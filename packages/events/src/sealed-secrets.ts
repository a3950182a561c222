import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { SealedSecretUnreadable } from "./errors.ts";

const VERSION = "v1";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Reads CALLER_SECRETS_KEY.
 * @throws SealedSecretUnreadable where it is not base64 of 32 bytes; the text is not repeated
 */
export function readSecretsKey(base64: string): Buffer {
  const key = Buffer.from(base64, "base64");
  if (key.length !== KEY_BYTES) {
    throw new SealedSecretUnreadable(
      `CALLER_SECRETS_KEY must be base64 of ${KEY_BYTES} bytes; it is of ${key.length}.`,
    );
  }
  return key;
}

/**
 * Seals a secret with AES-256-GCM: `v1.` and base64url of nonce, tag and ciphertext. The same secret looks
 * different each time. What `context` says (whose secret it is) has to be said again to open it, so that a
 * sealed secret can't be moved to another's key.
 *
 * @param key 32 bytes
 */
export function sealSecret(key: Uint8Array, plaintext: string, context = ""): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()]);
  return `${VERSION}.${Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64url")}`;
}

/**
 * Opens what `sealSecret` sealed.
 * @throws SealedSecretUnreadable where the key or the context is another, or the text was changed
 */
export function openSecret(key: Uint8Array, sealed: string, context = ""): string {
  const [version, body = ""] = sealed.split(".", 2);
  const bytes = Buffer.from(body, "base64url");
  if (version !== VERSION || bytes.length < NONCE_BYTES + TAG_BYTES) {
    throw new SealedSecretUnreadable(`A caller's secret is not sealed in the form ${VERSION}.`);
  }
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString("utf8");
  } catch {
    throw new SealedSecretUnreadable(
      "A caller's secret does not open: CALLER_SECRETS_KEY is not the key that sealed it.",
    );
  }
}
