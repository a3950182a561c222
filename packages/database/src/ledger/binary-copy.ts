/** PGCOPY signature, flags and length of the header extension. */
export const HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
export const TRAILER_BYTES = 2;
/** Of a character of a JavaScript string. */
export const UTF8_BYTES_MAX = 3;

/** Rows for `COPY … FROM STDIN BINARY`, written column by column into one buffer, which grows as it has to. */
export class BinaryCopy {
  #bytes: Buffer;
  #length: number;

  /** @param bytes what the rows are expected to take */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafe(HEADER.length + bytes + TRAILER_BYTES);
    this.#length = HEADER.copy(this.#bytes, 0);
  }

  /** The rows with the trailer: a view, good until the next row. */
  finished(): Buffer {
    this.#bytes.writeInt16BE(-1, this.#length);
    return this.#bytes.subarray(0, this.#length + TRAILER_BYTES);
  }

  /** Makes room for a row of so many bytes at most, and begins it. */
  begin(columns: number, bytesMax: number): void {
    const needed = this.#length + bytesMax + TRAILER_BYTES;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, needed));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length = this.#bytes.writeInt16BE(columns, this.#length);
  }

  /** @throws RangeError where the value is no integer, or does not fit its column; as `integer` and `bigint` */
  smallint(value: number): void {
    assertInteger(value);
    this.#length = this.#bytes.writeInt16BE(value, this.#bytes.writeInt32BE(2, this.#length));
  }

  integer(value: number): void {
    assertInteger(value);
    this.#length = this.#bytes.writeInt32BE(value, this.#bytes.writeInt32BE(4, this.#length));
  }

  bigint(value: number): void {
    assertInteger(value);
    const high = Math.floor(value / 0x1_0000_0000);
    const at = this.#bytes.writeInt32BE(high, this.#bytes.writeInt32BE(8, this.#length));
    this.#length = this.#bytes.writeUInt32BE(value - high * 0x1_0000_0000, at);
  }

  text(value: string): void {
    const written = this.#bytes.write(value, this.#length + 4, "utf8");
    this.#length = this.#bytes.writeInt32BE(written, this.#length) + written;
  }

  /** JSON text as jsonb: its format's version comes first. */
  jsonb(json: string): void {
    const written = this.#bytes.write(json, this.#length + 5, "utf8");
    const at = this.#bytes.writeInt32BE(written + 1, this.#length);
    this.#length = this.#bytes.writeUInt8(1, at) + written;
  }
}

/** What is not a number would be written as 0, and a fraction without its fraction. */
function assertInteger(value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not an integer`);
}
