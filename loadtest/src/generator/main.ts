import { type Job, runJob, type Sample } from "./run.ts";

/** What the generator's process answers its parent. */
export type GeneratorReply = { kind: "sample"; sample: Sample } | { kind: "failed"; message: string };

const answer = (reply: GeneratorReply): void => {
  process.send?.(reply);
};

process.on("message", (job: Job) => {
  runJob(job).then(
    (sample) => answer({ kind: "sample", sample }),
    (error: Error) => answer({ kind: "failed", message: error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
