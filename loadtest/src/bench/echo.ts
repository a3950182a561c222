import { type BatchDefinition, couponJson, formatInstant } from "@coupon/domain";
import { schema as claimSchema } from "@coupon/issuing/src/routes/claim-coupon/schema.ts";
import { schema as redeemSchema } from "@coupon/issuing/src/routes/redeem-order/schema.ts";
import {
  buildService,
  createLogger,
  createSignatureVerifier,
  listen,
  requireSignature,
  runService,
  type Service,
  type SigningKey,
} from "@coupon/service-kit";
import type { FastifyReply } from "fastify";

/**
 * What claims and redemptions are compared with: the same server set-up, route and schema, the same request bytes and the same
 * answer, with nothing behind it. Signed, it verifies each request as issuing does; bare, it doesn't.
 *
 * A process of its own: `node echo.ts`, with the settings below in the environment.
 */
export interface EchoSettings {
  port: number;
  /** Undefined for the bare echo. */
  key?: { keyId: string; callerId: string; secretBase64: string };
  definition: BatchDefinition;
}

/** Any id of the right length: what is measured ends before it would mean something. */
const couponId = "11".padEnd(32, "0");

/** Builds the echo without listening. */
export function buildEcho(settings: EchoSettings): Service {
  const app = buildService({ name: "echo", version: "1", logger: createLogger({ name: "echo", level: "warn" }) });
  app.register(
    async (scope) => {
      const v1 = scope as unknown as Service;
      if (settings.key !== undefined) requireSignature(v1, verifierOf(settings.key));
      v1.post("/batches/:batchId/claims", { schema: claimSchema }, (request, reply) => {
        const issuedAtSeconds = Math.floor(Date.now() / 1000);
        const facts = { couponId, userId: request.body.userId, state: "effective", issuedAtSeconds } as const;
        sendLikeIssuing(reply, 201, couponJson(settings.definition, facts));
      });
      v1.post("/orders/:orderId/redeem", { schema: redeemSchema }, (request, reply) => {
        const { userId, couponIds } = request.body;
        const [couponId] = couponIds;
        const lines = [{ lineId: "1", discount: 100 }];
        const body = {
          orderId: request.params.orderId,
          userId,
          status: "redeemed",
          coupons: [{ couponId, discount: 100, lines }],
          discount: 100,
          discountReversed: 0,
          redeemedAt: formatInstant(Date.now()),
        };
        sendLikeIssuing(reply, 200, JSON.stringify(body));
      });
    },
    { prefix: "/v1" },
  );
  return app;
}

/** An answer is JSON text already, with its place in the log. */
function sendLikeIssuing(reply: FastifyReply, status: number, text: string): void {
  reply.header("log-position", "cDAtMTIzNDU2").code(status).type("application/json; charset=utf-8").send(text);
}

function verifierOf({ keyId, callerId, secretBase64 }: NonNullable<EchoSettings["key"]>) {
  const key: SigningKey = { callerId, secret: Buffer.from(secretBase64, "base64"), revoked: false };
  return createSignatureVerifier<SigningKey>({ findKey: (id) => (id === keyId ? key : undefined) });
}

if (import.meta.main) {
  const settings = JSON.parse(process.env.ECHO ?? "") as EchoSettings;
  await runService({
    name: "echo",
    start: async () => {
      const app = buildEcho(settings);
      await listen(app, { host: "127.0.0.1", port: settings.port });
      process.send?.("listening");
      return { close: () => app.close() };
    },
  });
}
