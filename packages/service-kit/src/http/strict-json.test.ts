import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonDepthMax, parseStrictJson } from "./strict-json.ts";

const parse = (text: string) => parseStrictJson(Buffer.from(text));

const names = fc
  .string({ unit: "grapheme", maxLength: 12 })
  .filter((name) => name !== "__proto__" && name !== "constructor");
const trees = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.string({ unit: "grapheme", maxLength: 20 }),
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(names, tie("tree"), { maxKeys: 5, noNullPrototype: true }),
  ),
})).tree;
const withoutNul = (value: unknown) => !JSON.stringify(value).includes("\\u0000");

test("gives what JSON.parse gives, for every text without faults and however it is spaced", () => {
  fc.assert(
    fc.property(trees.filter(withoutNul), fc.constantFrom(undefined, 2, "\t"), (value, space) => {
      expect(parse(JSON.stringify(value, null, space))).toEqual({ ok: true, value });
    }),
    { numRuns: 1_000 },
  );
});

test("refuses any object in which any member is written down twice", () => {
  const member = fc.tuple(names, fc.constantFrom('"a:b\\":"', "1", '{"a":[{"b":":"}]}', "[]"));
  fc.assert(
    fc.property(fc.array(member, { minLength: 1, maxLength: 6 }), fc.nat(), (members, which) => {
      fc.pre(members.every(([name]) => withoutNul(name)));
      const written = members.map(([name, value]) => `${JSON.stringify(name)}:${value}`);
      const text = (all: string[]) => `[{"x":{${all.join(",")}}}]`;
      const distinct = new Set(members.map(([name]) => name)).size === members.length;
      expect(parse(text(written)).ok).toBe(distinct);
      expect(parse(text([...written, written[which % written.length] as string])).ok).toBe(false);
    }),
  );
});

test("never throws, whatever the bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.string({ maxLength: 60 }), (bytes, text) => {
      expect(typeof parseStrictJson(Buffer.from(bytes)).ok).toBe("boolean");
      expect(typeof parse(text).ok).toBe("boolean");
    }),
    { numRuns: 500 },
  );
});

test("takes the greatest depth and refuses the next", () => {
  expect(parse("[".repeat(jsonDepthMax) + "]".repeat(jsonDepthMax)).ok).toBe(true);
  expect(parse("[".repeat(jsonDepthMax + 1) + "]".repeat(jsonDepthMax + 1)).ok).toBe(false);
  expect(parse(`["${"[".repeat(100)}"]`).ok).toBe(true);
});

test.each([
  ['{"a":{"b":["\\u0000"]}}', "/a/b/0"],
  ['{"a\\u0000":1}', "/a\u0000"],
  ['[{"~/":"\\udc00"}]', "/0/~0~1"],
  ['{"a":[{"constructor":1}]}', "/a/0/constructor"],
])("says where in %s the fault is", (text, pointer) => {
  expect(parse(text)).toMatchObject({ ok: false, pointer });
});

test("a member named __proto__ never becomes a prototype", () => {
  expect(parse('{"__proto__":{"a":1}}').ok).toBe(false);
  expect(({} as { a?: number }).a).toBeUndefined();
});
