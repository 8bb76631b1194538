// The switch between light and dark; `auto` is what the system prefers.
const dark = matchMedia('(prefers-color-scheme: dark)');

function keep(theme) {
  try {
    localStorage.setItem('theme', theme);
  } catch {
    // storage is switched off: the choice holds until the page is left
  }
}

// Calls `changed` when colours change, so that what is drawn by pixels can be drawn again.
export function setUp(changed) {
  const root = document.documentElement;
  const switches = document.querySelectorAll('#theme input');
  for (const one of switches) {
    one.checked = one.value === root.dataset.theme;
    one.addEventListener('change', () => {
      root.dataset.theme = one.value;
      keep(one.value);
      changed();
    });
  }
  dark.addEventListener('change', () => {
    if (root.dataset.theme === 'auto') changed();
  });
}
