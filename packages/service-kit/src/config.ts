import { envSchema } from "env-schema";
import { type Static, type TObject, Type } from "typebox";
import { ConfigInvalid } from "./start-failure.ts";

interface SchemaError {
  instancePath: string;
  keyword: string;
  message?: string;
  params: Record<string, unknown>;
}

/**
 * Reads the settings that `schema` names out of `env`, converted and with defaults filled in. An empty
 * variable counts as missing. A property's `description` completes "set it to …" in the message.
 *
 * @throws {ConfigInvalid} one sentence: which variable, what is wrong, what to do; never the value,
 * for it may be a secret.
 */
export function loadConfig<Schema extends TObject>(
  schema: Schema,
  env: Record<string, string | undefined> = process.env,
): Static<Schema> {
  const data: Record<string, string> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = env[name];
    if (value !== undefined && value !== "") data[name] = value;
  }
  try {
    return envSchema<Static<Schema>>({ schema: structuredClone(schema), data, env: false });
  } catch (cause) {
    throw describeFailure(schema, cause);
  }
}

function describeFailure(schema: TObject, cause: unknown): unknown {
  const errors = (cause as { errors?: SchemaError[] }).errors;
  const error = errors?.[0];
  if (error === undefined) return cause;
  const missing = error.keyword === "required";
  const variable = missing ? String(error.params.missingProperty) : (error.instancePath.split("/")[1] ?? "");
  const property = schema.properties[variable] as { description?: string } | undefined;
  const wanted = property?.description ?? "a valid value";
  const wrong = missing ? "is missing" : `is not valid: it ${error.message ?? "is wrong"}`;
  return new ConfigInvalid(variable, `${variable} ${wrong}; set it to ${wanted}.`);
}

/** Schemas of settings that several services share, so that they are named and described alike. */
export const setting = {
  /** A TCP port; 0 lets the system choose. */
  port: (fallback?: number) =>
    Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description: "a TCP port (0–65535)",
      ...(fallback === undefined ? {} : { default: fallback }),
    }),
  text: (description: string, fallback?: string) =>
    Type.String({ minLength: 1, description, ...(fallback === undefined ? {} : { default: fallback }) }),
  integer: (description: string, bounds: { minimum: number; maximum: number; fallback?: number }) =>
    Type.Integer({
      minimum: bounds.minimum,
      maximum: bounds.maximum,
      description,
      ...(bounds.fallback === undefined ? {} : { default: bounds.fallback }),
    }),
  flag: (description: string, fallback = false) => Type.Boolean({ description, default: fallback }),
  /** 32 bytes in base64. */
  key32: (purpose: string) =>
    Type.String({
      pattern: "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$",
      description: `32 random bytes in base64 (${purpose}), e.g. from "openssl rand -base64 32"`,
    }),
  logLevel: () =>
    Type.Union(
      (["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const).map((level) => Type.Literal(level)),
      { default: "warn", description: "one of fatal, error, warn, info, debug, trace, silent" },
    ),
  host: () => Type.String({ minLength: 1, default: "127.0.0.1", description: "the address to listen on" }),
};
