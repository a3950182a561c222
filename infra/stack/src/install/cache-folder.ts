import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

function usable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Where downloads are kept for every checkout of this user: `$XDG_CACHE_HOME/coupon-platform`, else
 * `~/.cache/coupon-platform`, else `.local/cache` of this checkout when neither can be written.
 */
export function cacheFolder(): string {
  const checkout = fileURLToPath(new URL("../../../../.local/cache", import.meta.url));
  const base = process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? homedir(), ".cache");
  const shared = join(base, "coupon-platform");
  if (usable(shared)) return shared;
  mkdirSync(checkout, { recursive: true });
  return checkout;
}
