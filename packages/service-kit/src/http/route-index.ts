import type { RouteOptions } from "fastify";

/** Knows every route's pattern, to tell a wrong path (404) from a wrong method on a right one (405). */
export class RouteIndex {
  readonly #byUrl = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  add(route: RouteOptions): void {
    const known = this.#byUrl.get(route.url) ?? { pattern: toPattern(route.url), methods: new Set<string>() };
    for (const method of [route.method].flat()) known.methods.add(method);
    this.#byUrl.set(route.url, known);
  }

  /** Methods that the path answers to, sorted; empty where there is no such path. */
  methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const route of this.#byUrl.values()) {
      if (route.pattern.test(path)) for (const method of route.methods) methods.add(method);
    }
    return [...methods].sort();
  }
}

/** Covers static parts, `:name` for one whole segment and `*` for the rest, which is all that we use. */
function toPattern(url: string): RegExp {
  const segments = url.split("/").map((segment) => {
    if (segment.startsWith(":")) return "[^/]+";
    return segment.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace("*", ".*");
  });
  return new RegExp(`^${segments.join("/")}$`);
}
