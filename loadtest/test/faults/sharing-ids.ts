import { wishedOwner } from "@coupon/issuing/src/owner/leases.ts";
import { connectRedis, createLeases } from "@coupon/redis";
import { eventually, uniqueName } from "@coupon/testkit";
import type { Platform } from "../../src/faults/platform.ts";
import { PARTITIONS } from "../../src/own-platform/own-platform.ts";

/**
 * Names of issuing processes that share the partitions evenly: who owns what goes by the names, and a draw may leave one
 * without a partition. A process that starts in another's place gets a new name that owns the same.
 */
export class SharingIds {
  readonly #ids: string[] = [];
  readonly #owners: number;

  constructor(owners: number) {
    this.#owners = owners;
    do for (let place = 0; place < owners; place += 1) this.#ids[place] = uniqueName("p");
    while (!this.#share());
  }

  draw(place: number): string {
    do this.#ids[place] = uniqueName("p");
    while (!this.#share());
    return this.#ids[place];
  }

  /** Waits until each partition is the process' that it is meant for, and says whose. */
  owning(platform: Platform): Promise<(string | null)[]> {
    return this.#until(platform, (place) => this.#ids[place] ?? null);
  }

  /** Waits until the process in that place has them all. */
  ownedBy(platform: Platform, place: number): Promise<(string | null)[]> {
    return this.#until(platform, () => this.#ids[place] ?? null);
  }

  async #until(platform: Platform, wished: (place: number) => string | null): Promise<(string | null)[]> {
    const redis = await connectRedis({ url: platform.parts.redis.url, cluster: false });
    const leases = createLeases({ redis, prefix: platform.prefix });
    try {
      return await eventually(
        async () => {
          const owners = await leases.owners(PARTITIONS);
          return owners.every((owner, partition) => owner === wished(partition % this.#owners)) ? owners : false;
        },
        { timeoutMs: 20_000 },
      );
    } finally {
      await redis.close();
    }
  }

  #share(): boolean {
    const members = this.#ids.map((processId) => ({ processId, address: "" }));
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    return partitions.every((partition) => wishedOwner(partition, members) === this.#ids[partition % this.#owners]);
  }
}
