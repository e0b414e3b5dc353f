// The page: connects the editors, the program and the panels.

import { openLintPanel } from '@codemirror/lint';

import { Checker, Stopped } from './checker';
import { requirement } from './documentation';
import { byId, counted, element, message } from './dom';
import { Editor, diagnostic } from './editor';
import * as link from './link';
import * as panels from './panels';
import { rulesPanel } from './rules';
import { Tabs } from './tabs';
import { themeButton } from './theme';
import type { Answers, Change, Facts, Finding, Fixed, Report, State } from './types';

const ISSUES = 'https://github.com/sqledge-ha/sqledge-ha/issues/new';
/** How long the text must stay the same until it is written to the address, in milliseconds. */
const SAVE_AFTER = 400;

class Page implements panels.Actions {
  #checker: Checker;
  #facts: Facts;
  #manifest: Editor;
  #settings: Editor;
  #partial = byId<HTMLInputElement>('partial');
  #example = byId<HTMLSelectElement>('example');
  #tabs: Tabs;
  #explain: (rule: string) => void;

  /** The result for the text as it is; `undefined` while it is checked. */
  #report: Report | undefined;
  #fixed: Fixed | undefined;
  #unsafe = false;
  /** Counts changes, to know which results are out of date. */
  #change = 0;
  #changedAt = 0;
  #isChecking = false;
  #saving: number | undefined;
  /** The state at the start, which needs no fragment. */
  #initial: State;

  constructor(checker: Checker, facts: Facts) {
    this.#checker = checker;
    this.#facts = facts;
    this.#initial = { text: facts.examples[0]?.text ?? '', settings: '', partial: false };
    const nonce = document.querySelector('style')?.nonce ?? '';
    const onChange = () => this.#changed();
    this.#manifest = new Editor({
      parent: byId('editor'),
      label: 'Manifest',
      nonce,
      onChange: () => {
        this.#example.value = '';
        onChange();
      },
      keys: [
        { key: 'Mod-.', run: () => this.#fixHere() },
        { key: 'Mod-Shift-m', run: openLintPanel },
      ],
    });
    this.#settings = new Editor({ parent: byId('settings-editor'), label: 'Settings', nonce, onChange });
    this.#partial.addEventListener('change', onChange);
    this.#explain = rulesPanel(byId('rules'), facts.rules);
    this.#explain('');
    this.#tabs = new Tabs(() => void this.#showPanel());
    this.#example.append(
      element('option', { value: '' }, 'Choose…'),
      ...facts.examples.map(({ title }, index) => element('option', { value: String(index) }, title)),
    );
    this.#example.addEventListener('change', () => this.#openExample());
    byId('share').addEventListener('click', () => void this.#share());
    byId('defaults').textContent = facts.defaults;
    byId('version').textContent = `Version ${facts.version}.`;
    addEventListener('hashchange', () => void this.open());
  }

  /** Opens the link of the address, or the first example. */
  async open() {
    try {
      const state = (await link.read(location.hash)) ?? this.#initial;
      hideBanner();
      this.#load(state);
    } catch (error) {
      if (!(error instanceof link.BadLink)) throw error;
      showBanner('This link cannot be opened: ', message(error.message), '.');
      if (!this.#manifest.text) this.#load(this.#initial);
    }
  }

  get #state(): State {
    return { text: this.#manifest.text, settings: this.#settings.text, partial: this.#partial.checked };
  }

  #load({ text, settings, partial }: State) {
    this.#partial.checked = partial;
    this.#settings.text = settings;
    this.#manifest.text = text;
    if (settings) byId<HTMLDetailsElement>('settings').open = true;
    this.#selectExample(text);
    this.#changed();
  }

  #selectExample(text: string) {
    const index = this.#facts.examples.findIndex((example) => example.text === text);
    this.#example.value = index < 0 ? '' : String(index);
  }

  #openExample() {
    const example = this.#facts.examples[Number(this.#example.value || NaN)];
    if (!example) return;
    this.#manifest.text = example.text;
    this.#selectExample(example.text);
  }

  #changed() {
    this.#change += 1;
    if (this.#report) this.#changedAt = performance.now();
    this.#report = undefined;
    if (!this.#isChecking) void this.#check();
    clearTimeout(this.#saving);
    this.#saving = window.setTimeout(() => void this.#save(), SAVE_AFTER);
  }

  /** Checks until the result is that of the newest text. */
  async #check() {
    this.#isChecking = true;
    try {
      while (!this.#report) {
        const change = this.#change;
        const { text, settings, partial } = this.#state;
        const today = new Date().toISOString().slice(0, 10);
        const report = await this.#checker.call('check', text, settings, partial, today);
        if (change !== this.#change) continue;
        this.#report = report;
        this.#showReport(report);
        performance.clearMeasures('verdict');
        performance.measure('verdict', { start: this.#changedAt });
        void this.#showPanel();
      }
    } catch (error) {
      this.#showStop(error);
    } finally {
      this.#isChecking = false;
    }
  }

  #showStop(error: unknown) {
    if (!(error instanceof Stopped)) throw error;
    byId('summary').textContent = 'Not checked: the program stopped.';
    showBanner(
      `The program stopped: ${error.message}. Your text is still here. `,
      element('button', { type: 'button', onclick: () => this.#retry() }, 'Try again'),
      ' If it stops again, please ',
      element('a', { href: ISSUES, rel: 'noreferrer' }, 'report it'),
      ' with this message and, if it has no secrets, the text.',
    );
  }

  #retry() {
    hideBanner();
    this.#changed();
  }

  #showReport(report: Report) {
    byId('summary').replaceChildren(message(report.summary));
    const count = report.errors + report.warnings + report.problems.length;
    byId('count').textContent = String(count);
    byId('count').className = `count ${report.errors + report.problems.length > 0 ? 'error' : report.warnings > 0 ? 'warning' : ''}`;
    byId('findings').replaceChildren(...panels.findings(report, this));
    this.#manifest.mark([
      ...report.problems.map(diagnostic),
      ...report.findings.map((finding, index) => this.#diagnostic(finding, index)),
    ]);
    const { settingsError } = report;
    this.#settings.mark(settingsError ? [diagnostic(settingsError)] : []);
    const changed = this.#settings.text.trim() ? 'changed' : '';
    byId('settings-state').replaceChildren(
      settingsError ? message(`not valid, the last valid ones apply: ${settingsError.message}`) : changed,
    );
    byId('settings').classList.toggle('wrong', settingsError !== null);
  }

  #diagnostic(finding: Finding, index: number) {
    const { from, to, rule, level, fix } = finding;
    const documented = this.#facts.rules.find(({ id }) => id === rule);
    const actions = [
      ...(fix ? [{ name: fix.safe ? 'Fix' : 'Fix (unsafe)', apply: () => this.fix(index) }] : []),
      { name: 'Ignore', apply: () => this.ignore(index) },
      { name: 'Explain', apply: () => this.explain(rule) },
    ];
    const renderMessage = () =>
      element(
        'div',
        { class: 'hover' },
        element('p', {}, element('strong', {}, rule), ': ', message(finding.message)),
        ...finding.details.map((detail) => element('p', {}, message(detail))),
        element('p', {}, element('strong', {}, 'Help: '), message(finding.help)),
        documented && element('p', { class: 'quiet' }, message(requirement(documented))),
      );
    return { from, to, severity: level, message: `${rule}: ${finding.message}`, renderMessage, actions };
  }

  /** Fills the panel that is shown. */
  async #showPanel() {
    const change = this.#change;
    const name = this.#tabs.selected;
    if (!this.#report || (name !== 'fixed' && name !== 'admission')) return;
    try {
      const answer =
        name === 'fixed'
          ? await this.#checker.call('fix', this.#unsafe)
          : await this.#checker.call('admission');
      if (change !== this.#change || name !== this.#tabs.selected || !answer) return;
      if (name === 'fixed') this.#fixed = answer as Fixed;
      byId(name).replaceChildren(
        ...(name === 'fixed'
          ? panels.fixed(answer as Fixed, this.#unsafe, this)
          : panels.admission(answer as Answers, this)),
      );
    } catch (error) {
      this.#showStop(error);
    }
  }

  show = (span: { from: number; to: number }) => this.#manifest.show(span);
  line = (position: number) => this.#manifest.line(position);

  explain = (rule: string) => {
    this.#explain(rule);
    this.#tabs.select('rules');
    byId('rules').scrollTop = 0;
    byId('rules').focus({ preventScroll: true });
  };

  fix = (finding: number) => void this.#apply('quickFix', finding);
  ignore = (finding: number) => void this.#apply('ignore', finding);

  /** Makes the change of a finding, if the text is still the one that was checked. */
  async #apply(call: 'quickFix' | 'ignore', finding: number) {
    const change = this.#change;
    if (!this.#report) return;
    try {
      const answer: Change | null = await this.#checker.call(call, finding);
      if (change !== this.#change || !answer) return;
      if ('error' in answer) toast(answer.error);
      else this.#manifest.apply(answer.edits);
    } catch (error) {
      this.#showStop(error);
    }
  }

  /** Applies the first safe fix at the line of the cursor. */
  #fixHere(): boolean {
    const line = this.#manifest.line(this.#manifest.view.state.selection.main.head);
    const isHere = ({ from, to, fix }: Finding) => fix?.safe && this.line(from) <= line && line <= this.line(to);
    const index = this.#report?.findings.findIndex(isHere) ?? -1;
    if (index < 0) toast('No safe fix on this line');
    else this.fix(index);
    return true;
  }

  fixAll = () => void this.#fixAll();

  async #fixAll() {
    const change = this.#change;
    if (!this.#report) return;
    try {
      const fixed = await this.#checker.call('fix', false);
      if (change === this.#change && fixed) this.#replace(fixed);
    } catch (error) {
      this.#showStop(error);
    }
  }

  applyFixed = () => {
    if (this.#fixed && this.#report) this.#replace(this.#fixed);
  };

  #replace(fixed: Fixed) {
    this.#manifest.replace(fixed.text);
    toast(`${counted(fixed.fixed, 'finding')} fixed; undo with Ctrl+Z in the editor`);
  }

  setUnsafe = (unsafeToo: boolean) => {
    this.#unsafe = unsafeToo;
    void this.#showPanel();
  };

  copy = (text: string, what: string) => {
    navigator.clipboard.writeText(text).then(
      () => toast(`Copied: ${what}`),
      () => toast('The browser does not allow this page to copy; select the text'),
    );
  };

  /** Keeps the state in the address, so that a reload and a bookmark show it again. */
  async #save() {
    const change = this.#change;
    const state = this.#state;
    const isInitial = JSON.stringify(state) === JSON.stringify(this.#initial);
    const fragment = isInitial ? '' : await link.write(state);
    if (change === this.#change) setFragment(fragment ?? '');
  }

  async #share() {
    const fragment = await link.write(this.#state);
    if (fragment === undefined) {
      toast(`The text is too large for a link: links have at most ${counted(link.MAX_WRITTEN, 'character')}`);
      return;
    }
    setFragment(fragment);
    this.copy(location.href.split('#')[0] + fragment, 'link; it contains the manifest');
  }
}

function setFragment(fragment: string) {
  try {
    history.replaceState(null, '', fragment || location.pathname + location.search);
  } catch {
    // Some browsers limit how often; the next change writes it.
  }
}

function showBanner(...content: (Node | string)[]) {
  byId('banner').replaceChildren(...content);
  byId('banner').hidden = false;
}

function hideBanner() {
  byId('banner').hidden = true;
}

let fading: number | undefined;

/** Says something for a few seconds. */
function toast(text: string) {
  byId('toast').textContent = text;
  clearTimeout(fading);
  fading = window.setTimeout(() => (byId('toast').textContent = ''), 5000);
}

/** The program, which is in the page as compressed bytes. */
async function compile(): Promise<WebAssembly.Module> {
  const compressed = link.fromBase64(byId('wasm').textContent?.trim() ?? '');
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return WebAssembly.compile(await new Response(stream).arrayBuffer());
}

async function start() {
  themeButton(byId('theme'));
  const checker = new Checker(await compile(), byId('worker').textContent ?? '');
  const page = new Page(checker, await checker.call('facts'));
  await page.open();
}

start().catch((error: unknown) => {
  byId('summary').textContent = 'Not started';
  showBanner(
    `This page needs a current browser with WebAssembly (${String(error)}). `,
    'If yours is current, please ',
    element('a', { href: ISSUES, rel: 'noreferrer' }, 'report it'),
    '.',
  );
});
