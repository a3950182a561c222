// Loaded by `--import` into a service's process: plants one mutation, named by the environment, while modules and
// scripts are read. Nothing in the work tree changes.
import fs from "node:fs";
import { registerHooks, syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Mutation } from "./mutation.ts";

type Plant = Omit<Mutation, "in">;

const plants = JSON.parse(process.env.PLANTED ?? "[]") as Plant[];
const root = join(import.meta.dirname, "../../..");
const byUrl = new Map(plants.map((plant) => [pathToFileURL(join(root, plant.file)).href, plant]));

function mutate(text: string, { file, find, replace }: Plant): string {
  if (text.split(find).length !== 2) throw new Error(`the text to mutate occurs not once in ${file}`);
  return text.replace(find, () => replace);
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const plant = byUrl.get(url);
    if (plant === undefined) return loaded;
    const source = loaded.source ?? fs.readFileSync(new URL(url), "utf8");
    return {
      ...loaded,
      source: mutate(typeof source === "string" ? source : Buffer.from(source as Uint8Array).toString("utf8"), plant),
    };
  },
});

// Lua is read as text, by its URL.
const readFileSync = fs.readFileSync;
fs.readFileSync = ((path: fs.PathOrFileDescriptor, ...rest: never[]) => {
  const text = readFileSync(path, ...rest);
  const plant = path instanceof URL && path.pathname.endsWith(".lua") ? byUrl.get(path.href) : undefined;
  return plant === undefined ? text : mutate(String(text), plant);
}) as typeof fs.readFileSync;
syncBuiltinESMExports();
