import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { Logger } from "../logger.ts";
import type { Metrics } from "../metrics/create-metrics.ts";

/** A Fastify instance whose handlers are typed by their TypeBox schemas. */
export type Service = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module "fastify" {
  interface FastifyInstance {
    logger: Logger;
    metrics: Metrics;
    lifecycle: { draining: boolean };
    answerUnknownRoute: (request: FastifyRequest, reply: FastifyReply) => FastifyReply;
  }
}
