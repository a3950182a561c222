/** Shows the steps of a run with what was expected and what came, and remembers whether all was right. */
export class Figures {
  readonly #write: (line: string) => void;
  #checked = 0;
  #wrong = 0;

  /** @param write takes each line, without its line break */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  get checked(): number {
    return this.#checked;
  }

  get wrong(): number {
    return this.#wrong;
  }

  heading(text: string): void {
    this.#write(`\n${text}`);
  }

  /** A line that is neither right nor wrong. */
  note(text: string): void {
    this.#write(`    ${text}`);
  }

  /** Compares a figure with what is known ahead; says so when it differs. Returns whether it is right. */
  check(what: string, expected: number | string | boolean, got: number | string | boolean): boolean {
    const right = expected === got;
    this.#checked += 1;
    if (!right) this.#wrong += 1;
    const mark = right ? "✓" : "✗";
    const line = `  ${mark} ${what}: ${show(got)}`;
    this.#write(right ? line : `${line}, expected ${show(expected)}`);
    return right;
  }
}

function show(value: number | string | boolean): string {
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value);
}
