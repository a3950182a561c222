/** What kept the stack from starting, by kind. */
export type StackFailureCode =
  | "port_in_use"
  | "part_missing"
  | "part_failed"
  | "part_unreachable"
  | "disk_low"
  | "memory_low"
  | "stack_running"
  | "service_failed"
  | "step_failed"
  | "setting_invalid";

/**
 * A failure that a person can do something about. `message` is one sentence that names what to do;
 * `detail` is the end of the failing process's log, when there is one.
 */
export class StackFailure extends Error {
  override readonly name = "StackFailure";
  readonly code: StackFailureCode;
  readonly detail: string;

  constructor(code: StackFailureCode, message: string, detail = "") {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}
