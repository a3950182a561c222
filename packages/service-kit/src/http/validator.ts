import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import addFormatsModule from "ajv-formats";
import type { FastifySchemaCompiler, FastifySchemaValidationError } from "fastify";

const addFormats = addFormatsModule.default ?? addFormatsModule;

/** At most so many errors are listed in one refusal. */
export const errorsListedMax = 20;

/** Values larger than this report their first error only, so that a bad body costs no more than a good one. */
const nodesForAllErrors = 1_000;

const options: Options = {
  strict: true,
  removeAdditional: false,
  useDefaults: true,
  coerceTypes: false,
  ownProperties: true,
};

/**
 * Compiles route schemas with Ajv. Nothing is ever removed from a body or converted in it; values in
 * the URL and in headers, which are text, are converted to the schema's scalar type. The common case
 * stops at the first error; only a small value that failed is validated again for all of its errors.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const body = pair(options);
  const text = pair({ ...options, coerceTypes: true });
  return ({ schema, httpPart }) => {
    const ajv = httpPart === "body" ? body : text;
    const first = ajv.first.compile(schema as object);
    let all: ValidateFunction | undefined;
    const validate = (data: unknown): boolean => {
      if (first(data) === true) return true;
      let errors = first.errors;
      if (countNodes(data, nodesForAllErrors) <= nodesForAllErrors) {
        all ??= ajv.all.compile(schema as object);
        if (all(data) !== true) errors = all.errors;
      }
      validate.errors = (errors ?? []).slice(0, errorsListedMax) as FastifySchemaValidationError[];
      return false;
    };
    validate.errors = null as FastifySchemaValidationError[] | null;
    return validate;
  };
}

function pair(base: Options): { first: Ajv; all: Ajv } {
  return { first: instance(base), all: instance({ ...base, allErrors: true }) };
}

function instance(base: Options): Ajv {
  const ajv = new Ajv(base);
  addFormats(ajv);
  return ajv;
}

/** Counts values in a tree and stops soon after `limit`. */
function countNodes(value: unknown, limit: number): number {
  if (typeof value !== "object" || value === null) return 1;
  let count = 1;
  for (const item of Object.values(value)) {
    count += countNodes(item, limit);
    if (count > limit) break;
  }
  return count;
}

const parts: Record<string, string> = { params: "path", querystring: "query", headers: "header" };

/** Ajv's errors as the interface's: a JSON pointer to the offending place and what it must be. */
export function toPointers(errors: readonly ErrorObject[], context: string): { pointer: string; message: string }[] {
  const part = parts[context];
  return errors.map((error) => {
    const message = error.message ?? "is not valid";
    return { pointer: pointerOf(error), message: part === undefined ? message : `${part}: ${message}` };
  });
}

function pointerOf({ instancePath, params }: ErrorObject): string {
  const name: unknown = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return typeof name === "string"
    ? `${instancePath}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`
    : instancePath;
}
