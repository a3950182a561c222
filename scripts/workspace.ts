import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A package of the workspace that has tests. */
export interface TestedPackage {
  readonly name: string;
  readonly folder: string;
}

const FOLDERS = ["packages", "services", "infra"];
const LONE_PACKAGES = ["loadtest"];

/** All packages with a `test` script, by folder. */
export function testedPackages(root: string): TestedPackage[] {
  const nested = FOLDERS.flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)));
  return [...nested, ...LONE_PACKAGES]
    .map((folder) => ({ folder: join(root, folder), manifest: join(root, folder, "package.json") }))
    .filter(({ manifest }) => existsSync(manifest))
    .flatMap(({ folder, manifest }) => {
      const { name, scripts } = JSON.parse(readFileSync(manifest, "utf8")) as {
        name: string;
        scripts?: Record<string, string>;
      };
      return scripts?.test === undefined ? [] : [{ name, folder }];
    });
}
