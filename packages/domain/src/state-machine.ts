/** A state machine as data: which state follows which, by what. */
export interface StateMachine<State extends string, By extends string> {
  initial: readonly State[];
  /** States that nothing leaves. */
  final: readonly State[];
  transitions: readonly Transition<State, By>[];
}

export interface Transition<State extends string, By extends string> {
  from: State;
  to: State;
  by: By;
}

/**
 * What is wrong with a machine, as sentences; empty where nothing is: every state is reachable from an
 * initial one, a final state has no way on and every other state has a way to a final one, and a state
 * and what happens to it name one next state.
 */
export function checkStateMachine(machine: StateMachine<string, string>): string[] {
  const problems: string[] = [];
  const { initial, final, transitions } = machine;
  const states = new Set([...initial, ...final, ...transitions.flatMap(({ from, to }) => [from, to])]);
  const reachable = closure(initial, transitions);
  const finishing = closure(
    final,
    transitions.map(({ from, to }) => ({ from: to, to: from })),
  );
  for (const state of states) {
    if (!reachable.has(state)) problems.push(`${state} can't be reached`);
    if (!finishing.has(state)) problems.push(`${state} has no way to a final state`);
    if (final.includes(state) && transitions.some(({ from }) => from === state)) {
      problems.push(`${state} is final but has a way on`);
    }
  }
  const seen = new Set<string>();
  for (const { from, by } of transitions) {
    const step = `${from} by ${by}`;
    if (seen.has(step)) problems.push(`${step} leads to several states`);
    seen.add(step);
  }
  return problems;
}

/** The state that follows; null where the machine has no such step. */
export function nextState<State extends string, By extends string>(
  machine: StateMachine<State, By>,
  from: State,
  by: By,
): State | null {
  return machine.transitions.find((transition) => transition.from === from && transition.by === by)?.to ?? null;
}

function closure(begin: readonly string[], steps: readonly { from: string; to: string }[]): Set<string> {
  const found = new Set(begin);
  // A Set's iteration also visits what is added on the way.
  for (const state of found) {
    for (const { from, to } of steps) if (from === state) found.add(to);
  }
  return found;
}
