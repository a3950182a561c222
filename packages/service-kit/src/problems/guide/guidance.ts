/** What is told about a code: to its caller in every answer, and to everybody in `docs/errors.md`. */
export interface Guidance {
  /** What the code says, and what it does not. */
  meaning: string;
  /** What brings it about. */
  when: string;
  /** What the caller does; also the problem's `detail` where the service has nothing more exact to say. */
  caller: string;
  /** What whoever is on call does when it is more frequent than usual. */
  sre: string;
}
