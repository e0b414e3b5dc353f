// What the program answers: the structs of src/*.rs. Positions count UTF-16 code units.

export interface Span {
  from: number;
  to: number;
}

export interface Mark extends Span {
  message: string;
}

export interface Finding extends Span {
  rule: string;
  level: 'error' | 'warning';
  message: string;
  details: string[];
  help: string;
  object: string;
  fix: { title: string; safe: boolean } | null;
  related: Mark[];
}

export interface Report {
  summary: string;
  /** Whether there is a database that the rules check. */
  isChecked: boolean;
  errors: number;
  warnings: number;
  fixable: number;
  findings: Finding[];
  omitted: number;
  problems: Mark[];
  notes: string[];
  settingsError: Mark | null;
}

export interface TextEdit extends Span {
  insert: string;
}

export type Change = { edits: TextEdit[] } | { error: string };

export interface Fixed {
  text: string;
  fixed: number;
  diff: { header: string; lines: { tag: '+' | '-' | ' '; text: string }[] }[];
  isTruncated: boolean;
  remaining: { rule: string; line: number; reason: string }[];
}

export interface Answer extends Span {
  object: string;
  outcome: 'rejected' | 'mutated' | 'warned' | 'allowed';
  review: string;
  patch: string;
  warnings: string[];
  message: string | null;
}

export interface Answers {
  answers: Answer[];
  omitted: number;
}

export interface Rule {
  id: string;
  summary: string;
  loss: string;
  action: string;
  fix: string;
  documentation: string;
  /** Its page, if it is published. */
  url: string | null;
}

export interface Example {
  title: string;
  text: string;
}

/** What never changes while the page is open. */
export interface Facts {
  rules: Rule[];
  examples: Example[];
  defaults: string;
  version: string;
}

/** What the user has entered. */
export interface State {
  text: string;
  settings: string;
  partial: boolean;
}

/** The calls that the worker answers, with the types of their answers. */
export interface Calls {
  facts: { arguments: []; answer: Facts };
  check: { arguments: [text: string, settings: string, partial: boolean, today: string]; answer: Report };
  quickFix: { arguments: [finding: number]; answer: Change | null };
  ignore: { arguments: [finding: number]; answer: Change | null };
  fix: { arguments: [unsafeToo: boolean]; answer: Fixed | null };
  admission: { arguments: []; answer: Answers | null };
}

/** A message to the worker. */
export type Request = { module: WebAssembly.Module } | { id: number; call: keyof Calls; arguments: unknown[] };

/** A message from the worker: an answer, or why the program stopped. */
export type Response = { id: number; answer: unknown } | { id: number; panic: string };
