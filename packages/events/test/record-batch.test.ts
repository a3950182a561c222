import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32c } from "../src/wire/crc32c.ts";
import { fixedHeaders, writeRecordBatch } from "../src/wire/record-batch.ts";
import { varintSize, Writer } from "../src/wire/writer.ts";

interface Decoded {
  messages: { key: Buffer; value: Buffer | null; offset: string; timestamp: string; headers: Record<string, Buffer> }[];
}
const require = createRequire(import.meta.url);
const Decoder = require("kafkajs/src/protocol/decoder") as new (buffer: Buffer) => object;
const decodeRecords = require("kafkajs/src/protocol/requests/fetch/v4/decodeMessages") as (
  decoder: object,
) => Promise<Decoded["messages"]>;

describe("CRC-32C", () => {
  test.each([
    ["", 0],
    ["123456789", 0xe3069283],
    ["\0".repeat(32), 0x8a9136aa],
    ["\xff".repeat(32), 0x62a8ab43],
  ])("of %j, from RFC 3720", (text, expected) => {
    const bytes = Buffer.from(text, "latin1");
    expect(crc32c(bytes, 0, bytes.length)).toBe(expected);
  });

  test("is the same byte by byte, wherever it begins and ends", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(8), fc.nat(8), (bytes, front, back) => {
        const end = Math.max(front, bytes.length - back);
        let slow = -1;
        for (let i = front; i < Math.min(end, bytes.length); i += 1) {
          slow ^= bytes[i] as number;
          for (let bit = 0; bit < 8; bit += 1) slow = slow & 1 ? (slow >>> 1) ^ 0x82f63b78 : slow >>> 1;
        }
        expect(crc32c(bytes, front, Math.min(end, bytes.length))).toBe((slow ^ -1) >>> 0);
      }),
    );
  });
});

test("a varint takes as many bytes as it is said to", () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }), (value) => {
      const writer = new Writer();
      writer.varint(value);
      expect(writer.position).toBe(varintSize(value));
    }),
  );
});

test("an integer of 64 bits is written as it is", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const writer = new Writer();
      writer.int64(value);
      expect(writer.buffer.readBigInt64BE(0)).toBe(BigInt(value));
    }),
  );
});

test("whatever records are written, another implementation reads them back", async () => {
  const ascii = fc.string({ unit: "binary-ascii", maxLength: 40 });
  const record = fc.record({
    key: fc.string({ unit: "grapheme", maxLength: 20 }),
    value: fc.option(fc.oneof(fc.string({ unit: "grapheme", maxLength: 300 }), fc.constant("x".repeat(100_000)))),
    id: ascii,
    epoch: fc.option(fc.nat().map(String)),
    headers: fc.dictionary(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1 }), ascii, { maxKeys: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 12 }), fc.nat(2 ** 41), async (records, at) => {
      const writer = new Writer();
      writer.reserve(4);
      writer.int32(0);
      const wire = records.map(({ headers, ...rest }) => ({ ...rest, headers: fixedHeaders(headers) }));
      writeRecordBatch(writer, wire, at);
      writer.patchInt32(0, writer.position - 4);
      const messages = await decodeRecords(new Decoder(writer.buffer.subarray(0, writer.position)));
      expect(messages.map(({ offset, timestamp }) => [Number(offset), Number(timestamp)])).toEqual(
        records.map((_, i) => [i, at]),
      );
      for (const [i, { key, value, id, epoch, headers }] of records.entries()) {
        const message = messages[i];
        expect(message?.key.toString()).toBe(Buffer.from(key).toString());
        expect(message?.value?.toString() ?? null).toBe(value === null ? null : Buffer.from(value).toString());
        const own = { ...headers, ...(epoch === null ? {} : { epoch }), ce_id: id };
        const read = Object.entries(message?.headers ?? {}).map(([name, bytes]) => [name, bytes.toString()]);
        expect(Object.fromEntries(read)).toEqual(own);
      }
    }),
    { numRuns: 100 },
  );
});
