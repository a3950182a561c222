/** Reads the primitives of a Kafka response. Reading past its end throws a RangeError. */
export class Reader {
  readonly #buffer: Buffer;
  #position: number;

  constructor(buffer: Buffer, position = 0) {
    this.#buffer = buffer;
    this.#position = position;
  }

  int16(): number {
    const value = this.#buffer.readInt16BE(this.#position);
    this.#position += 2;
    return value;
  }

  int32(): number {
    const value = this.#buffer.readInt32BE(this.#position);
    this.#position += 4;
    return value;
  }

  /** A safe integer of 64 bits. */
  int64(): number {
    const high = this.int32();
    const low = this.#buffer.readUInt32BE(this.#position);
    this.#position += 4;
    return high * 0x1_0000_0000 + low;
  }

  skip(bytes: number): void {
    this.#position += bytes;
  }

  nullableString(): string | null {
    const length = this.int16();
    if (length < 0) return null;
    const start = this.#position;
    this.#position += length;
    if (this.#position > this.#buffer.length) throw new RangeError("a string ends beyond the response");
    return this.#buffer.toString("utf8", start, this.#position);
  }

  string(): string {
    return this.nullableString() ?? "";
  }

  array<T>(item: () => T): T[] {
    const length = this.int32();
    const items: T[] = [];
    for (let i = 0; i < length; i += 1) items.push(item());
    return items;
  }
}
