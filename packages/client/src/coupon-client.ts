import { CouponCalls } from "./coupon-calls.ts";
import { ReadAfter } from "./read-after.ts";
import { type CouponClientOptions, SignedCaller } from "./signed-caller.ts";

/** A caller's client: its calls are those of `CouponCalls`. Make one per key and process, and close it. */
export class CouponClient extends CouponCalls {
  readonly #caller: SignedCaller;

  /** @throws {TypeError} when a URL is not an origin or the secret is not base64. */
  constructor(options: CouponClientOptions) {
    const caller = new SignedCaller(options);
    super(caller);
    this.#caller = caller;
  }

  /**
   * The same calls for one thread of work whose reads see its own changes: it remembers `Log-Position`s
   * and sends them as `Read-After`. It uses this client's connections, which this client closes.
   */
  session(): CouponCalls {
    return new CouponCalls(this.#caller, new ReadAfter());
  }

  /** Waits for calls under way and closes the connections. */
  async close(): Promise<void> {
    await this.#caller.close();
  }
}
