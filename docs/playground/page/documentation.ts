// The documentation of a rule as elements. It is Markdown with headings, paragraphs, lists, code and addresses.

import { element } from './dom';
import type { Rule } from './types';

/** The heading below which a rule says what must hold. */
const REQUIREMENT = '# What must hold\n';

/** The first paragraph: what must hold. */
export function requirement({ documentation }: Rule): string {
  const [, text = ''] = documentation.split(REQUIREMENT);
  return (text.split('\n\n')[0] ?? '').replaceAll('\n', ' ');
}

/** The whole documentation. */
export function blocks(documentation: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const lines = documentation.split('\n');
  while (lines.length > 0) {
    const line = lines.shift() ?? '';
    if (line.startsWith('```')) {
      const end = lines.findIndex((other) => other.startsWith('```'));
      const code = lines.splice(0, end < 0 ? lines.length : end + 1);
      fragment.append(element('pre', { tabindex: '0' }, code.slice(0, end < 0 ? undefined : -1).join('\n')));
    } else if (line.startsWith('# ')) {
      fragment.append(element('h3', {}, line.slice(2)));
    } else if (line.startsWith('- ')) {
      fragment.append(list(line, lines));
    } else if (line.trim()) {
      fragment.append(element('p', {}, inline([line, ...continuation(lines)].join(' '))));
    }
  }
  return fragment;
}

function list(first: string, lines: string[]): HTMLUListElement {
  const made = element('ul');
  for (let line: string | undefined = first; line?.startsWith('- '); line = lines.shift()) {
    made.append(element('li', {}, inline([line.slice(2), ...continuation(lines)].join(' '))));
    if (!lines[0]?.startsWith('- ')) break;
  }
  return made;
}

/** Takes the lines that go on with a paragraph or an item. */
function continuation(lines: string[]): string[] {
  const end = lines.findIndex((line) => !line.trim() || /^(# |- |```)/.test(line));
  return lines.splice(0, end < 0 ? lines.length : end).map((line) => line.trim());
}

/** Code, emphasis and addresses of a line. */
function inline(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const part of text.split(/(`[^`]+`|<https:\/\/[^>]+>|\*[^*`]+\*)/)) {
    const content = part.slice(1, -1);
    if (/^`.+`$/s.test(part)) fragment.append(element('code', {}, content));
    else if (/^<.+>$/s.test(part)) fragment.append(element('a', { href: content, rel: 'noreferrer' }, content));
    else if (/^\*.+\*$/s.test(part)) fragment.append(element('em', {}, content));
    else fragment.append(part);
  }
  return fragment;
}
