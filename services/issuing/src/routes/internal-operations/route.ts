import { PassThrough } from "node:stream";
import { type Service, strictObject } from "@coupon/service-kit";
import { Type } from "typebox";
import { ForwardedOperations } from "../../overload/forwarded-operations.ts";
import type { Answer, Operation } from "../../owner/operation.ts";
import type { Owner } from "../../owner/owner.ts";
import type { IssuingResources } from "../../resources.ts";

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
export function internalOperationsRoute(app: Service, { admission }: IssuingResources, owner: Owner): void {
  app.post("/internal/v1/operations", { schema }, async (request, reply) => {
    const operations = request.body.operations as [Operation, number][];
    const forwarded = new ForwardedOperations(admission, (...asked) => owner.submit(...asked), operations);
    const lines = new PassThrough();
    let left = operations.length;
    let ready: [number, Answer][] = [];
    const flush = () => {
      lines.write(`${JSON.stringify(ready)}\n`);
      ready = [];
      if (left === 0) lines.end();
    };
    operations.forEach(([operation, withinMs], index) => {
      void forwarded.submit(operation, withinMs).then((answer) => {
        left -= 1;
        ready.push([index, answer]);
        if (ready.length === 1) setImmediate(flush);
      });
    });
    return reply.type("application/x-ndjson").send(lines);
  });
}
