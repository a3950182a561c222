import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Draws that follow from a seed alone. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number, both ends included. */
  int(from: number, to: number): number {
    return uniformInt(this.#generator, from, to);
  }

  /** Whether something happens that does so in that share of all cases, to a hundredth. */
  chance(share: number): boolean {
    return this.int(1, 100) <= share * 100;
  }

  pick<One>(from: readonly One[]): One {
    return from[this.int(0, from.length - 1)] as One;
  }

  /** Picks by weight. */
  weighted<One>(from: readonly (readonly [weight: number, one: One])[]): One {
    let left = this.int(
      1,
      from.reduce((sum, [weight]) => sum + weight, 0),
    );
    for (const [weight, one] of from) {
      left -= weight;
      if (left <= 0) return one;
    }
    throw new Error("nothing to pick from");
  }
}
