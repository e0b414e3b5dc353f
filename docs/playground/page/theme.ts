// Light, dark, or as the system wants it.

const THEMES = ['auto', 'light', 'dark'];
const KEY = 'sqledge-ha-theme';

/** Makes the button change the theme. The browser keeps the choice, if it may. */
export function themeButton(button: HTMLElement) {
  const apply = (theme: string) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = stored() ?? 'auto';
  apply(theme);
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto';
    apply(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // The choice ends with the page.
    }
  });
}

function stored(): string | undefined {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY));
  } catch {
    return undefined;
  }
}
