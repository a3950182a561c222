import { PassThrough } from "node:stream";
import { pino } from "pino";
import { Type } from "typebox";
import {
  buildService,
  callerOf,
  callersId,
  createSignatureVerifier,
  exactInteger,
  idempotencyKeyHeaders,
  refusalReply,
  requireInternalToken,
  requireSignature,
  type Service,
  type ServiceOptions,
  strictObject,
} from "../src/index.ts";
import { keys } from "./signed.ts";

export const internalToken = "internal-token-0123456789";

const order = strictObject({
  amount: exactInteger(),
  currency: Type.String({ pattern: "^[A-Z]{3}$" }),
  lines: Type.Array(strictObject({ lineId: Type.String({ minLength: 1 }), quantity: exactInteger({ minimum: 1 }) }), {
    minItems: 1,
    maxItems: 50,
  }),
});

/** A service with routes of every kind that the tests need, and the lines that it has logged. */
export function sampleService(more: Partial<ServiceOptions> = {}): { app: Service; logged: () => string } {
  const lines = new PassThrough();
  let text = "";
  lines.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const app = buildService({ name: "sample", version: "1.2.3", logger: pino({ level: "warn" }, lines), ...more });
  app.register(
    async (v1: Service) => {
      requireSignature(v1, createSignatureVerifier({ findKey: (keyId) => keys.get(keyId) }));
      v1.post(
        "/batches/:batchId/claims",
        {
          schema: {
            params: Type.Object({ batchId: callersId("batch") }),
            headers: idempotencyKeyHeaders,
            body: strictObject({
              userId: callersId("user"),
              context: Type.Optional(strictObject({ ip: Type.String() })),
            }),
          },
        },
        async (request, reply) => {
          if (request.body.userId === "sold-out") {
            const limit = { name: "stock", scope: "batch", max: 5, used: 5 };
            return refusalReply(reply, { code: "stock_exhausted", limit });
          }
          return reply.code(201).send({ userId: request.body.userId, callerId: callerOf(request).callerId });
        },
      );
      v1.post(
        "/orders/:orderId/lock",
        { schema: { body: strictObject({ order, note: Type.Optional(Type.String()) }) } },
        async (request) => ({ amount: request.body.order.amount }),
      );
      v1.get(
        "/users/:userId/coupons",
        {
          schema: {
            params: Type.Object({ userId: callersId("user") }),
            querystring: strictObject({ limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }) }),
          },
        },
        async (request) => ({ limit: request.query.limit }),
      );
      v1.get("/fails", async () => {
        throw new Error("the database password is hunter2");
      });
    },
    { prefix: "/v1" },
  );
  app.register(async (internal: Service) => {
    requireInternalToken(internal, internalToken);
    internal.get("/internal/ping", async () => ({ pong: true }));
  });
  return { app, logged: () => text };
}
