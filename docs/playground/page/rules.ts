// The panel with the documentation of the rules.

import { blocks } from './documentation';
import { element } from './dom';
import type { Rule } from './types';

/** A menu of all rules, and the documentation of one. Returns what shows a rule. */
export function rulesPanel(panel: HTMLElement, rules: Rule[]): (id: string) => void {
  const menu = element('select', { id: 'rule' }, ...rules.map(({ id }) => element('option', { value: id }, id)));
  const text = element('article');
  // On the site, the pages of the rules are beside this one.
  const folder = document.body.dataset.rules;
  const address = ({ id, url }: Rule) => (folder ? `${folder}${id}.html` : (url ?? ''));
  const show = (id: string) => {
    const rule = rules.find((other) => other.id === id) ?? rules[0];
    if (!rule) return;
    menu.value = rule.id;
    text.replaceChildren(
      element('h2', {}, rule.id),
      element('p', { class: 'summary' }, rule.summary),
      element(
        'p',
        { class: 'quiet' },
        `Lost without it: ${rule.loss}. Default action: ${rule.action}. Fix: ${rule.fix}.`,
      ),
      blocks(rule.documentation),
      address(rule)
        ? element('p', {}, element('a', { href: address(rule) }, 'The page of this rule, with its proof'))
        : element('p', { class: 'quiet' }, 'On the command line: ', element('code', {}, `sqledge-ha explain ${rule.id}`)),
    );
  };
  menu.addEventListener('change', () => show(menu.value));
  panel.replaceChildren(element('p', { class: 'toolbar' }, element('label', { for: 'rule' }, 'Rule '), menu), text);
  return show;
}
