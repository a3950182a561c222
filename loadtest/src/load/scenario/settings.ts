/** What the runner hands to the scenario, as the JSON of the environment variable `SETTINGS`. */
export interface ScenarioSettings {
  issuing: string;
  batchId: string;
  keyId: string;
  /** Base64. */
  secret: string;
  /** Goes into every key, user and order of the run, so that a run never meets another's. */
  runId: string;
  /** A product in the scope of the batch. */
  productId: string;
  summaryFile: string;
}
