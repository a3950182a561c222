import { Validator } from "@seriousme/openapi-schema-validator";

interface Described {
  openapi?: string;
  paths?: Record<string, Record<string, { security?: Record<string, unknown>[] }>>;
  components?: { securitySchemes?: Record<string, unknown> };
}

/**
 * What is wrong with an OpenAPI 3.1 document: where it is not valid, operations that do not say how a request proves who
 * sends it, and schemes that they name and nobody describes. Empty where all is well.
 */
export async function checkOpenApi(document: object): Promise<string[]> {
  const described = document as Described;
  const faults: string[] = [];
  const { valid, errors } = await new Validator().validate(structuredClone(document) as Record<string, unknown>);
  if (!valid) faults.push(`is not valid: ${JSON.stringify(errors)}`);
  if (described.openapi?.startsWith("3.1") !== true) faults.push(`is OpenAPI ${described.openapi}`);
  const schemes = described.components?.securitySchemes ?? {};
  for (const [path, operations] of Object.entries(described.paths ?? {})) {
    for (const [method, { security = [] }] of Object.entries(operations)) {
      const names = security.flatMap((one) => Object.keys(one));
      if (names.length === 0) faults.push(`${method} ${path} is open to everybody`);
      for (const name of names) if (!(name in schemes)) faults.push(`${method} ${path} names ${name}`);
    }
  }
  return faults;
}
