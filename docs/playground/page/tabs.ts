// Tabs with the keys of the ARIA authoring practices.

import { byId } from './dom';

export class Tabs {
  #tabs: HTMLElement[];
  #onSelect: (name: string) => void;
  selected = 'findings';

  constructor(onSelect: (name: string) => void) {
    this.#onSelect = onSelect;
    this.#tabs = [...document.querySelectorAll<HTMLElement>('[role=tab]')];
    this.#tabs.forEach((tab, index) => {
      tab.addEventListener('click', () => this.select(nameOf(tab)));
      tab.addEventListener('keydown', (event) => {
        const count = this.#tabs.length;
        const moves: Record<string, number> = {
          ArrowRight: (index + 1) % count,
          ArrowLeft: (index + count - 1) % count,
          Home: 0,
          End: count - 1,
        };
        const next = this.#tabs[moves[event.key] ?? -1];
        if (!next) return;
        event.preventDefault();
        this.select(nameOf(next));
        next.focus();
      });
    });
  }

  select(name: string) {
    this.selected = name;
    for (const tab of this.#tabs) {
      const isSelected = nameOf(tab) === name;
      tab.setAttribute('aria-selected', String(isSelected));
      tab.tabIndex = isSelected ? 0 : -1;
      byId(nameOf(tab)).hidden = !isSelected;
    }
    this.#onSelect(name);
  }
}

function nameOf(tab: HTMLElement): string {
  return tab.getAttribute('aria-controls') ?? '';
}
