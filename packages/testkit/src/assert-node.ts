/** The workspace pins its Node as a dependency; a plain `node_modules/.bin/vitest` takes the machine's. */
const NODE_MAJOR_MIN = 26;

if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  throw new Error(
    `Tests need Node ${NODE_MAJOR_MIN} and this is ${process.versions.node}: run \`npm test\`, \`pnpm run test\` in the package, or put the workspace's node_modules/.bin first in PATH.`,
  );
}
