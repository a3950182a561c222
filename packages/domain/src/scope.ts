import type { OrderLine, Scope } from "./model.ts";

/**
 * Whether a line is in a benefit's scope: it matches every list that is given, a list of categories by
 * any of the line's categories. Without a scope every line is in; an empty list matches nothing.
 */
export function inScope(scope: Scope | undefined, line: OrderLine): boolean {
  if (scope === undefined) return true;
  const { products, categories, sellers } = setsOf(scope);
  if (products !== null && !products.has(line.productId)) return false;
  if (sellers !== null && (line.sellerId === undefined || !sellers.has(line.sellerId))) return false;
  return categories === null || (line.categoryIds ?? []).some((id) => categories.has(id));
}

interface ScopeSets {
  products: ReadonlySet<string> | null;
  categories: ReadonlySet<string> | null;
  sellers: ReadonlySet<string> | null;
}

/** Scopes may be long and are asked for every line of every order. */
const sets = new WeakMap<Scope, ScopeSets>();

function setsOf(scope: Scope): ScopeSets {
  let found = sets.get(scope);
  if (found === undefined) {
    found = {
      products: scope.productIds === undefined ? null : new Set(scope.productIds),
      categories: scope.categoryIds === undefined ? null : new Set(scope.categoryIds),
      sellers: scope.sellerIds === undefined ? null : new Set(scope.sellerIds),
    };
    sets.set(scope, found);
  }
  return found;
}
