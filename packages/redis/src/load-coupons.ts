import { UserDigests } from "./hashes.ts";
import type { Keys } from "./keys.ts";
import { type BucketsCall, bucketsCalls } from "./load-buckets.ts";
import { type LoadMarks, MarksOfRun } from "./load-marks.ts";
import { ChunkCursor, CouponRun } from "./load-run.ts";
import { SERIAL_WIDE, type SlotsCall, slotsCalls } from "./load-slots.ts";
import { type LoadSteps, stepScripts } from "./load-steps.ts";
import { SeenFields } from "./seen-fields.ts";
import type { ImageCoupons, ShardAddress, ShardImage } from "./shard-calls.ts";

/** Taken in between two looks at what else is to do: some 2 ms. */
const PIECE_COUPONS = 4_096;
/** Coupons held for sorting (20 bytes each) in all first runs of this process, until their loads end: 250 MB. */
const FIRST_RUNS_COUPONS_MAX = SERIAL_WIDE;
/** The same of each later run, and of a first run however little is left of the above. */
const RUN_COUPONS_MAX = 1_048_576;

export interface LoadOptions {
  /** Is waited for between pieces of a few milliseconds: lets others have the event loop and Redis. */
  pace?: () => Promise<void>;
  /** Coupons sorted at a time. */
  runCoupons?: number;
}

interface Resources {
  keys: Keys;
  hashKey: Buffer;
}

let firstRunsLeft = FIRST_RUNS_COUPONS_MAX;

/**
 * Writes the shard's coupons, run by run; while one run is written, the next is read. Written coupon by coupon in the
 * order of their serials, each would look up another bucket, in memory that is in no cache: 4 µs of Redis a coupon. So
 * a run is sorted by bucket. The first, which nearly always is all there is, makes each bucket whole (load-buckets.lua);
 * what is beyond the memory for it is added to the buckets (load-slots.lua).
 */
export async function loadCoupons(
  resources: Resources,
  at: ShardAddress,
  image: ShardImage,
  coupons: AsyncIterable<ImageCoupons>,
  steps: LoadSteps,
  { pace = yieldTurn, runCoupons }: LoadOptions,
): Promise<{ coupons: number; second: number; seconds: number }> {
  const firstRun = runCoupons ?? Math.max(1, Math.min(image.nextSerial, Math.max(RUN_COUPONS_MAX, firstRunsLeft)));
  firstRunsLeft -= firstRun;
  try {
    const runs = new Runs(resources, at, image, steps, pace, firstRun, runCoupons ?? RUN_COUPONS_MAX);
    const marks = new MarksOfRun();
    let next = 0;
    for await (const chunk of coupons) {
      if (chunk.first !== next)
        throw new RangeError(`coupon ${chunk.first} of shard ${at.batch}.${at.shard} is out of order`);
      await runs.add(chunk);
      marks.add(chunk);
      if (marks.ready) await writeMarks(resources.keys, at, steps, marks.take());
      next += chunk.count;
    }
    await runs.end();
    await writeMarks(resources.keys, at, steps, marks.takeAll());
    await steps.settled();
    return { coupons: next, second: marks.second, seconds: marks.seconds };
  } finally {
    firstRunsLeft += firstRun;
  }
}

function writeMarks(keys: Keys, at: ShardAddress, steps: LoadSteps, { index, pages }: LoadMarks): Promise<void> {
  const named = [keys.timeIndex(at), ...pages.map(({ page }) => keys.page(at, page))];
  return steps.send(stepScripts.marks, named, [index, ...pages.map((it) => it.bits)]);
}

const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class Runs {
  readonly #image: ShardImage;
  readonly #steps: LoadSteps;
  readonly #pace: () => Promise<void>;
  readonly #stem: string;
  readonly #digests: UserDigests;
  readonly #seen: SeenFields | null;
  readonly #laterRun: number;
  #run: CouponRun;
  /** The run's first serial. */
  #start = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    { keys, hashKey }: Resources,
    at: ShardAddress,
    image: ShardImage,
    steps: LoadSteps,
    pace: () => Promise<void>,
    firstRun: number,
    laterRun: number,
  ) {
    this.#image = image;
    this.#steps = steps;
    this.#pace = pace;
    this.#stem = keys.bucketStem(at);
    this.#digests = new UserDigests(hashKey, at.batch);
    this.#seen = image.nextSerial > firstRun ? new SeenFields(image.nextSerial) : null;
    this.#laterRun = laterRun;
    this.#run = this.#newRun(firstRun);
  }

  async add(chunk: ImageCoupons): Promise<void> {
    for (const cursor = new ChunkCursor(chunk); cursor.left > 0; ) {
      this.#run.add(cursor, PIECE_COUPONS);
      if (this.#run.full) {
        await this.#writing;
        this.#writing = this.#write(this.#run, this.#start);
        // Told where it is awaited.
        this.#writing.catch(() => undefined);
        this.#start += this.#run.count;
        this.#run = this.#newRun(this.#laterRun);
      }
      await this.#pace();
    }
  }

  async end(): Promise<void> {
    await this.#writing;
    await this.#write(this.#run, this.#start);
  }

  /** A run never reaches over the serial from which on more bytes are taken for one. */
  #newRun(coupons: number): CouponRun {
    const size = this.#start < SERIAL_WIDE ? Math.min(coupons, SERIAL_WIDE - this.#start) : coupons;
    return new CouponRun({ digests: this.#digests, buckets: this.#image.rules.buckets, size, seen: this.#seen });
  }

  async #write(run: CouponRun, start: number): Promise<void> {
    for (const call of start === 0 ? bucketsCalls(run) : slotsCalls(run, start >= SERIAL_WIDE)) {
      await this.#send(call);
      await this.#pace();
    }
  }

  #send(call: BucketsCall | SlotsCall): Promise<void> {
    const named = call.buckets.map((bucket) => this.#stem + bucket.toString(36));
    if ("payloads" in call) return this.#steps.send(stepScripts.buckets, named, call.payloads);
    return this.#steps.send(stepScripts.slots, named, [call.width, call.bytes]);
  }
}
