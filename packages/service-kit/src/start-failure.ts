/** A reason not to start, as one sentence that says what is wrong and what to do about it. */
export class StartFailure extends Error {
  override name = "StartFailure";
}

/** A setting that is missing or wrong. The sentence names the variable and never its value. */
export class ConfigInvalid extends StartFailure {
  override name = "ConfigInvalid";
  /** Name of the environment variable. */
  readonly variable: string;

  constructor(variable: string, sentence: string) {
    super(sentence);
    this.variable = variable;
  }
}
