const SIZE_AT_FIRST = 64 * 1024;

/** Writes the big-endian primitives of Kafka's protocol into one buffer that grows and is used again. */
export class Writer {
  buffer: Buffer = Buffer.allocUnsafe(SIZE_AT_FIRST);
  position = 0;

  /** Makes room for `bytes` more. Every method below expects that to have been done. */
  reserve(bytes: number): void {
    if (this.position + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.position + bytes));
    this.buffer.copy(larger, 0, 0, this.position);
    this.buffer = larger;
  }

  int8(value: number): void {
    this.buffer[this.position] = value & 0xff;
    this.position += 1;
  }

  int16(value: number): void {
    this.position = this.buffer.writeInt16BE(value, this.position);
  }

  int32(value: number): void {
    this.position = this.buffer.writeInt32BE(value, this.position);
  }

  /** A safe integer of 64 bits. */
  int64(value: number): void {
    this.int32(Math.floor(value / 0x1_0000_0000));
    this.position = this.buffer.writeUInt32BE(value >>> 0, this.position);
  }

  /** Signed, zigzag, of at most 31 bits. */
  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    while (rest > 0x7f) {
      this.buffer[this.position] = (rest & 0x7f) | 0x80;
      this.position += 1;
      rest >>>= 7;
    }
    this.buffer[this.position] = rest;
    this.position += 1;
  }

  bytes(value: Uint8Array): void {
    this.buffer.set(value, this.position);
    this.position += value.length;
  }

  /** Text of ASCII characters: shorter than what a call into native code costs. */
  ascii(text: string): void {
    const { buffer } = this;
    let at = this.position;
    for (let i = 0; i < text.length; i += 1) {
      buffer[at] = text.charCodeAt(i);
      at += 1;
    }
    this.position = at;
  }

  utf8(text: string, byteLength: number): void {
    this.buffer.write(text, this.position, byteLength, "utf8");
    this.position += byteLength;
  }

  /** A length of 16 bits and the text, which must be ASCII. */
  string(text: string): void {
    this.int16(text.length);
    this.ascii(text);
  }

  patchInt32(at: number, value: number): void {
    this.buffer.writeInt32BE(value, at);
  }

  patchUint32(at: number, value: number): void {
    this.buffer.writeUInt32BE(value, at);
  }
}

/** Bytes that a `varint` of the value takes. */
export function varintSize(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let size = 1;
  while (rest > 0x7f) {
    size += 1;
    rest >>>= 7;
  }
  return size;
}
