import type { Service } from "../http/service.ts";

/** How requests prove who sends them, as OpenAPI 3.1 describes it. */
const schemes = {
  messageSignature: {
    type: "apiKey",
    in: "header",
    name: "Signature",
    description:
      "HTTP Message Signature (RFC 9421) by a caller's key: label `sig1`, `alg` hmac-sha256, with `created` and `keyid` " +
      'in `Signature-Input`, covering `"@method" "@path" "@query"` and, where present, `"content-digest"` (RFC 9530, ' +
      'sha-256; required with a body) and `"idempotency-key"`, in this order. Accepted 300 s around `created`.',
  },
  operatorToken: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "An operator's token of the OIDC issuer; its roles decide.",
  },
  internalToken: {
    type: "http",
    scheme: "bearer",
    description: "The token that our own services share. Not for callers or operators.",
  },
} as const;

export type SecurityScheme = keyof typeof schemes;

/** Says in `/openapi.json` that the routes added to `app` from now on are under this scheme. */
export function describeSecurity(app: Service, scheme: SecurityScheme): void {
  app.securitySchemes[scheme] = schemes[scheme];
  app.addHook("onRoute", (route) => {
    route.schema = { ...route.schema, security: [{ [scheme]: [] }] };
  });
}

declare module "fastify" {
  interface FastifyInstance {
    /** Those that `/openapi.json` describes: the ones in use. */
    securitySchemes: Partial<Record<SecurityScheme, (typeof schemes)[SecurityScheme]>>;
  }
}
