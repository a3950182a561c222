import type { CallerDefinition, CallerStatus } from "@coupon/domain";

/** A caller's key as a signature is checked against it. */
export interface CallerKey {
  keyId: string;
  callerId: string;
  secret: Buffer;
  revoked: boolean;
  sandbox: boolean;
  caller: { status: CallerStatus };
}

const sandboxPrefix = "test_";

function isKeyId(keyId: string): boolean {
  return keyId.startsWith("live_") || keyId.startsWith(sandboxPrefix);
}

/** The callers that may sign requests, held in process and kept up to date by the compacted topic. */
export class Callers {
  readonly #keys = new Map<string, CallerKey>();
  readonly #keysOf = new Map<string, string[]>();

  /** Takes a caller's keys in. One whose id says neither `live_` nor `test_` opens nothing: it stays unknown. */
  put(definition: CallerDefinition): void {
    this.remove(definition.callerId);
    const keys = definition.keys
      .filter(({ keyId }) => isKeyId(keyId))
      .map(
        ({ keyId, secret, revoked }): CallerKey => ({
          keyId,
          callerId: definition.callerId,
          secret: Buffer.from(secret, "base64"),
          revoked,
          sandbox: keyId.startsWith(sandboxPrefix),
          caller: { status: definition.status },
        }),
      );
    for (const key of keys) this.#keys.set(key.keyId, key);
    this.#keysOf.set(
      definition.callerId,
      keys.map(({ keyId }) => keyId),
    );
  }

  remove(callerId: string): void {
    for (const keyId of this.#keysOf.get(callerId) ?? []) this.#keys.delete(keyId);
    this.#keysOf.delete(callerId);
  }

  key(keyId: string): CallerKey | undefined {
    return this.#keys.get(keyId);
  }
}
