/** One thing wrong with an input: where (an RFC 6901 JSON pointer) and what, in words for its sender. */
export interface FieldError {
  pointer: string;
  message: string;
}
