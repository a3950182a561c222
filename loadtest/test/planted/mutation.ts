/** A change of one file's text as a process reads it. */
export interface Mutation {
  file: string;
  /** Occurs exactly once in the file. */
  find: string;
  replace: string;
  /** Which service's processes run it. */
  in: "issuing" | "ledger";
}
