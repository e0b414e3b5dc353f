// The panels beside the manifest: findings, the fixed text, the answers of the cluster.

import { counted, element, message } from './dom';
import type { Answer, Answers, Finding, Fixed, Report } from './types';

/** What the user can do in the panels. */
export interface Actions {
  show: (span: { from: number; to: number }) => void;
  line: (position: number) => number;
  explain: (rule: string) => void;
  fix: (finding: number) => void;
  ignore: (finding: number) => void;
  fixAll: () => void;
  applyFixed: () => void;
  copy: (text: string, what: string) => void;
  setUnsafe: (unsafeToo: boolean) => void;
}

function button(label: string, onclick: () => void, attributes: Record<string, string> = {}): HTMLButtonElement {
  return element('button', { type: 'button', onclick, ...attributes }, label);
}

/** The findings, above them what cannot be read, below them the notes. */
export function findings(report: Report, actions: Actions): Node[] {
  const problems = report.problems.map((problem) =>
    element(
      'li',
      { class: 'finding error' },
      element(
        'p',
        { class: 'title' },
        element('span', { class: 'level' }, 'not readable'),
        lineButton(problem, actions),
      ),
      element('p', {}, message(problem.message)),
    ),
  );
  const found = report.findings.map((finding, index) => findingItem(finding, index, actions));
  const nodes: Node[] = [];
  if (report.fixable > 0) {
    const label = `Fix ${counted(report.fixable, 'finding')} safely`;
    nodes.push(element('div', { class: 'toolbar' }, button(label, actions.fixAll, { class: 'primary' })));
  }
  if (problems.length + found.length > 0) nodes.push(element('ol', { class: 'findings' }, ...problems, ...found));
  else nodes.push(element('p', { class: report.isChecked ? 'good' : '' }, report.summary));
  if (report.omitted > 0) nodes.push(element('p', {}, `${counted(report.omitted, 'further finding')} not listed`));
  nodes.push(...report.notes.map((note) => element('p', { class: 'note' }, 'Note: ', message(note))));
  return nodes;
}

function lineButton(span: { from: number; to: number }, actions: Actions): HTMLButtonElement {
  const line = `line ${actions.line(span.from)}`;
  return button(line, () => actions.show(span), { class: 'link', 'aria-label': `Go to ${line}` });
}

function findingItem(finding: Finding, index: number, actions: Actions): HTMLLIElement {
  const { rule, level, object, details, help, fix, related } = finding;
  const fixButton =
    fix &&
    button(fix.safe ? 'Fix' : 'Fix (unsafe)', () => actions.fix(index), {
      title: fix.title,
      class: fix.safe ? 'primary' : '',
    });
  return element(
    'li',
    { class: `finding ${level}` },
    element(
      'p',
      { class: 'title' },
      element('span', { class: 'level' }, level),
      button(rule, () => actions.explain(rule), { class: 'link rule', 'aria-label': `Explain ${rule}` }),
      lineButton(finding, actions),
      element('span', { class: 'quiet' }, object),
    ),
    element('p', { class: 'message' }, message(finding.message)),
    ...details.map((detail) => element('p', { class: 'quiet' }, message(detail))),
    ...related.map((other) => element('p', { class: 'quiet' }, lineButton(other, actions), ' ', message(other.message))),
    element('p', {}, element('strong', {}, 'Help: '), message(help)),
    element(
      'p',
      { class: 'actions' },
      fixButton,
      button('Ignore', () => actions.ignore(index), { title: `Ignore ${rule} with a comment on this line` }),
      button('Explain', () => actions.explain(rule)),
    ),
  );
}

/** The fixed text as a diff, and what is not fixed. */
export function fixed(result: Fixed, unsafeToo: boolean, actions: Actions): Node[] {
  const box = element('input', { type: 'checkbox', onchange: () => actions.setUnsafe(box.checked) });
  box.checked = unsafeToo;
  const hasChanges = result.diff.length > 0;
  const count = counted(result.fixed, 'finding');
  const head = element(
    'div',
    { class: 'toolbar' },
    element('p', {}, hasChanges ? `${count} fixed` : 'Nothing to fix'),
    element('label', {}, box, ' also unsafe fixes'),
    hasChanges && button('Apply to the manifest', actions.applyFixed, { class: 'primary' }),
    hasChanges && button('Copy the fixed manifest', () => actions.copy(result.text, 'fixed manifest')),
  );
  const nodes: Node[] = [head];
  if (hasChanges) nodes.push(diff(result));
  if (result.isTruncated) nodes.push(element('p', {}, 'Further changes are not shown.'));
  if (result.remaining.length > 0) {
    const items = result.remaining.map(({ rule, line, reason }) =>
      element(
        'li',
        {},
        button(rule, () => actions.explain(rule), { class: 'link rule' }),
        ` (line ${line}): `,
        message(reason),
      ),
    );
    nodes.push(element('h3', {}, 'Not fixed'), element('ul', { class: 'remaining' }, ...items));
  }
  return nodes;
}

function diff(result: Fixed): HTMLElement {
  const names = { '+': 'added', '-': 'removed', ' ': 'same' } as const;
  const words = { '+': 'added: ', '-': 'removed: ', ' ': '' } as const;
  const lines = result.diff.flatMap((hunk) => [
    element('span', { class: 'hunk' }, hunk.header + '\n'),
    ...hunk.lines.map(({ tag, text }) =>
      element(
        'span',
        { class: names[tag] },
        // Colors and signs alone say nothing to a screen reader.
        words[tag] && element('span', { class: 'spoken' }, words[tag]),
        element('span', { 'aria-hidden': 'true' }, tag),
        `${text}\n`,
      ),
    ),
  ]);
  return element('pre', { class: 'diff', tabindex: '0', 'aria-label': 'Changes', role: 'group' }, ...lines);
}

const OUTCOMES: Record<Answer['outcome'], string> = {
  rejected: 'rejected',
  mutated: 'allowed, mutated',
  warned: 'allowed, with warnings',
  allowed: 'allowed',
};

/** What the API server gets for each object. */
export function admission({ answers, omitted }: Answers, actions: Actions): Node[] {
  const intro =
    'When an object is created and the others exist, the policy answers this. ' +
    'The page calls the same function as the policy module.';
  const nodes: Node[] = [element('p', { class: 'quiet' }, intro)];
  if (answers.length === 0) nodes.push(element('p', {}, 'The policy checks no object here: the API server gets no answer.'));
  // The first one that says something is open.
  const open = Math.max(0, answers.findIndex(({ outcome }) => outcome !== 'allowed'));
  const objects = answers.map((answer, index) =>
    element(
      'details',
      { class: `answer ${answer.outcome}`, open: index === open },
      element('summary', {}, answer.object, ' ', element('span', { class: 'outcome' }, OUTCOMES[answer.outcome])),
      element('p', {}, button('Go to the object', () => actions.show({ from: answer.from, to: answer.from }))),
      answer.message && element('pre', { tabindex: '0', 'aria-label': 'Reasons' }, answer.message),
      answer.warnings.length > 0 &&
        element('ul', {}, ...answer.warnings.map((warning) => element('li', {}, 'Warning: ', message(warning)))),
      ...(answer.patch ? code('JSON Patch', answer.patch, actions) : []),
      ...code('AdmissionReview', answer.review, actions),
    ),
  );
  nodes.push(...objects);
  if (omitted > 0) nodes.push(element('p', {}, `${counted(omitted, 'further object')} not listed`));
  return nodes;
}

function code(title: string, text: string, actions: Actions): Node[] {
  const head = element('div', { class: 'toolbar' }, element('h3', {}, title), button('Copy', () => actions.copy(text, title)));
  return [head, element('pre', { tabindex: '0', 'aria-label': title, role: 'group' }, text)];
}
