import type { ImageCoupons } from "@coupon/domain";
import { PAGE_COUPONS } from "./keys.ts";

const PAGE_BYTES = PAGE_COUPONS / 4;
const RECORD_BYTES = 8;
const RECORDS_AT_ONCE = 4_096;
const PAGES_AT_ONCE = 64;

/** What one step writes of coupons beside their slots. */
export interface LoadMarks {
  /** What the time index goes on with. */
  index: Buffer;
  pages: { page: number; bits: Buffer }[];
}

/** Gathers the seconds of issue and the bits of coupons that come by ascending serials, as includes/*.lua keep them. */
export class MarksOfRun {
  /** The last second in the index; -1 before the first. */
  second = -1;
  /** Records in the index. */
  seconds = 0;
  #records: [serial: number, second: number][] = [];
  #pages: { page: number; bits: Buffer }[] = [];
  #page = -1;
  #bits: Buffer = Buffer.alloc(0);
  /** Bytes of the page up to its last coupon with something on record: the page is as long as writing made it. */
  #length = 0;

  add({ first, count, issuedAtSeconds, touched }: ImageCoupons): void {
    for (let i = 0; i < count; i += 1) {
      const second = issuedAtSeconds[i] as number;
      if (second !== this.second) {
        this.#records.push([first + i, second]);
        this.second = second;
        this.seconds += 1;
      }
      if (touched[i] !== 0) this.#mark(first + i, touched[i] as number);
    }
  }

  get ready(): boolean {
    return this.#records.length >= RECORDS_AT_ONCE || this.#pages.length >= PAGES_AT_ONCE;
  }

  /** What is complete so far. */
  take(): LoadMarks {
    const index = Buffer.allocUnsafe(this.#records.length * RECORD_BYTES);
    this.#records.forEach(([serial, second], i) => {
      index.writeUInt32BE(second, index.writeUInt32BE(serial, i * RECORD_BYTES));
    });
    const pages = this.#pages;
    this.#records = [];
    this.#pages = [];
    return { index, pages };
  }

  /** The rest, once no more coupons come. */
  takeAll(): LoadMarks {
    this.#endPage();
    return this.take();
  }

  #mark(serial: number, bits: number): void {
    const page = Math.floor(serial / PAGE_COUPONS);
    if (page !== this.#page) {
      this.#endPage();
      this.#page = page;
      this.#bits = Buffer.alloc(PAGE_BYTES);
    }
    const index = serial % PAGE_COUPONS;
    const byte = index >> 2;
    this.#bits[byte] = (this.#bits[byte] as number) | (bits << (6 - 2 * (index & 3)));
    this.#length = byte + 1;
  }

  #endPage(): void {
    if (this.#length > 0) this.#pages.push({ page: this.#page, bits: this.#bits.subarray(0, this.#length) });
    this.#length = 0;
  }
}
