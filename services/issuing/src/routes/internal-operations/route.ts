import { PassThrough } from "node:stream";
import { type Service, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import type { Answer, Operation } from "../../owner/operation.ts";
import type { Owner } from "../../owner/owner.ts";

const schema = {
  summary: "Operations forwarded by another issuing process",
  hide: true,
  body: strictObject({
    operations: Type.Array(Type.Tuple([Type.Any(), Type.Number()]), { minItems: 1, maxItems: 512 }),
  }),
};

/**
 * Called by other issuing processes alone. Answers in lines of `[[index, answer], …]`, each as soon as it
 * is there, so that one recovering shard holds up nobody else's answers.
 */
export function internalOperationsRoute(app: Service, owner: Owner): void {
  app.post("/internal/v1/operations", { schema }, async (request, reply) => {
    const operations = request.body.operations as [Operation, number][];
    const lines = new PassThrough();
    let left = operations.length;
    let ready: [number, Answer][] = [];
    const flush = () => {
      lines.write(`${JSON.stringify(ready)}\n`);
      ready = [];
      if (left === 0) lines.end();
    };
    operations.forEach(([operation, withinMs], index) => {
      void owner.submit(operation, withinMs).then((answer) => {
        left -= 1;
        ready.push([index, answer]);
        if (ready.length === 1) setImmediate(flush);
      });
    });
    return reply.type("application/x-ndjson").send(lines);
  });
}
