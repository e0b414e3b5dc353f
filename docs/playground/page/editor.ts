// The editors: YAML with marks at the findings, their documentation on hover, and their fixes.

import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { HighlightStyle, StreamLanguage, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { yaml } from '@codemirror/legacy-modes/mode/yaml';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension, Transaction } from '@codemirror/state';
import {
  EditorView,
  type KeyBinding,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';

import type { Mark, Span, TextEdit } from './types';

// Colors are variables of the style sheet, so that they follow the theme.
const highlighting = HighlightStyle.define([
  { tag: [tags.atom, tags.definition(tags.propertyName), tags.propertyName], color: 'var(--key)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--string)' },
  { tag: [tags.number, tags.bool, tags.keyword], color: 'var(--number)' },
  { tag: tags.comment, color: 'var(--comment)', fontStyle: 'italic' },
  { tag: tags.meta, color: 'var(--comment)' },
]);

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '13.5px', backgroundColor: 'var(--page)', color: 'var(--text)' },
  '&.cm-focused': { outline: '2px solid var(--accent)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--code-font)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': { backgroundColor: 'var(--page)', color: 'var(--quiet)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--line)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--selection)',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--line)' },
  '.cm-lintRange': { backgroundImage: 'none', paddingBottom: '0', textUnderlineOffset: '3px' },
  '.cm-lintRange-error': { textDecoration: 'underline wavy var(--error)' },
  '.cm-lintRange-warning': { textDecoration: 'underline wavy var(--warning)' },
  '.cm-lint-marker': { width: '0.6em', height: '0.6em', borderRadius: '50%', marginTop: '0.45em', content: 'none' },
  '.cm-lint-marker-error': { content: 'none', backgroundColor: 'var(--error)' },
  '.cm-lint-marker-warning': { content: 'none', backgroundColor: 'var(--warning)', borderRadius: '1px' },
  '.cm-tooltip, .cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)', borderColor: 'var(--border)' },
  '.cm-tooltip': { border: '1px solid var(--border)', borderRadius: '6px', boxShadow: 'var(--shadow)' },
  '.cm-tooltip-lint': { maxWidth: 'min(36rem, 90vw)' },
  '.cm-diagnostic': { padding: '8px 12px' },
  '.cm-diagnostic-error': { borderLeft: '4px solid var(--error)' },
  '.cm-diagnostic-warning': { borderLeft: '4px solid var(--warning)' },
  '.cm-diagnosticAction': {
    backgroundColor: 'var(--button)',
    color: 'var(--text)',
    border: '1px solid var(--border)',
    borderRadius: '4px',
    font: 'inherit',
    padding: '2px 8px',
    margin: '6px 6px 0 0',
  },
  '.cm-panel.cm-panel-lint ul [aria-selected]': { backgroundColor: 'var(--line)', color: 'var(--text)' },
});

/** What an editor tells the page. */
export interface Options {
  parent: HTMLElement;
  /** For screen readers. */
  label: string;
  nonce: string;
  keys?: KeyBinding[];
  onChange: () => void;
}

export class Editor {
  readonly view: EditorView;
  #extensions: Extension;

  constructor({ parent, label, nonce, keys = [], onChange }: Options) {
    this.#extensions = [
      EditorView.cspNonce.of(nonce),
      lineNumbers(),
      lintGutter(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      highlightActiveLine(),
      highlightActiveLineGutter(),
      highlightSelectionMatches(),
      indentOnInput(),
      indentUnit.of('  '),
      EditorState.tabSize.of(2),
      StreamLanguage.define(yaml),
      syntaxHighlighting(highlighting),
      theme,
      // Tab leaves the editor, for those who use no mouse.
      keymap.of([...keys, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
      // A scrolled region has to contain something with a place in the tab order.
      EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0', spellcheck: 'false', autocapitalize: 'off' }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) onChange();
      }),
    ];
    this.view = new EditorView({ parent, state: this.#state('') });
  }

  #state(text: string): EditorState {
    return EditorState.create({ doc: text, extensions: this.#extensions });
  }

  get text(): string {
    return this.view.state.doc.toString();
  }

  /** Shows another text; undo shows the old one again. */
  set text(text: string) {
    if (text === this.text) return;
    this.replace(text);
    this.view.dispatch({ selection: { anchor: 0 }, scrollIntoView: true });
  }

  /** Changes what is different in a new text, so that the cursor stays. */
  replace(changed: string) {
    const old = this.text;
    const text = changed.replaceAll(/\r\n?/g, '\n');
    const shortest = Math.min(old.length, text.length);
    let head = 0;
    while (head < shortest && old[head] === text[head]) head += 1;
    let tail = 0;
    while (tail < shortest - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1;
    const changes = { from: head, to: old.length - tail, insert: text.slice(head, text.length - tail) };
    this.view.dispatch({ changes, annotations: Transaction.userEvent.of('input.replace') });
  }

  /** The line of a position, from 1. */
  line(position: number): number {
    const { doc } = this.view.state;
    return doc.lineAt(Math.min(position, doc.length)).number;
  }

  /** Shows a part of the text. */
  show({ from, to }: Span) {
    const { length } = this.view.state.doc;
    const range = { anchor: Math.min(from, length), head: Math.min(to, length) };
    this.view.dispatch({ selection: range, effects: EditorView.scrollIntoView(range.anchor, { y: 'center' }) });
    this.view.focus();
  }

  /** Changes the text in one step. */
  apply(edits: TextEdit[]) {
    this.view.dispatch({ changes: edits, scrollIntoView: true, annotations: Transaction.userEvent.of('input.fix') });
    this.view.focus();
  }

  /** Replaces the marks. */
  mark(diagnostics: Diagnostic[]) {
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }
}

/** The diagnostic of a mark, which must be within the text. */
export function diagnostic({ from, to, message }: Mark): Diagnostic {
  return { from, to, message, severity: 'error' };
}
