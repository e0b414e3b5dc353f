// Runs the program away from the page, so that it can be stopped.

import { Playground, default as start, examples, rules, settings_with_defaults, version } from 'program';
import type { Request, Response } from './types';

let program: Playground | undefined;
let panic = '';

/** The program calls it when it panics, before it stops. */
Object.assign(globalThis, { keepPanic: (message: string) => (panic = message) });

/** The calls; like the memory, also for a debugger. */
const calls: Record<string, (playground: Playground, ...parameters: never[]) => unknown> = {
  facts: () => ({
    rules: JSON.parse(rules()),
    examples: JSON.parse(examples()),
    defaults: settings_with_defaults(),
    version: version(),
  }),
  check: (playground, text: string, settings: string, partial: boolean, today: string) =>
    JSON.parse(playground.check(text, settings, partial, today)),
  quickFix: (playground, finding: number) => JSON.parse(playground.quick_fix(finding)),
  ignore: (playground, finding: number) => JSON.parse(playground.ignore(finding)),
  fix: (playground, unsafeToo: boolean) => JSON.parse(playground.fix(unsafeToo)),
  admission: (playground) => JSON.parse(playground.admission()),
};
Object.assign(globalThis, { calls });

function answer(response: Response) {
  postMessage(response);
}

async function handle(request: Request) {
  if ('module' in request) {
    const { memory } = await start({ module_or_path: request.module });
    Object.assign(globalThis, { memory });
    program = new Playground();
    return;
  }
  const { id, call, arguments: parameters } = request;
  try {
    const run = calls[call];
    if (!program || !run) throw new Error('the program has not started');
    answer({ id, answer: run(program, ...(parameters as never[])) });
  } catch (error) {
    answer({ id, panic: panic || String(error) });
  }
}

// One after the other: the first message starts the program.
let last = Promise.resolve();
onmessage = ({ data }: MessageEvent<Request>) => {
  last = last.then(() => handle(data)).catch((error: unknown) => answer({ id: -1, panic: String(error) }));
};
