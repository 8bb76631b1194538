// Switches between light and dark; `auto` follows the system.
const dark = matchMedia('(prefers-color-scheme: dark)');

function store(theme) {
  try {
    localStorage.setItem('theme', theme);
  } catch {
    // storage is switched off: the choice holds until the page is left
  }
}

// Calls `changed` when the colours change, so that charts can be drawn again.
export function setUp(changed) {
  const root = document.documentElement;
  const switches = document.querySelectorAll('#theme input');
  for (const one of switches) {
    one.checked = one.value === root.dataset.theme;
    one.addEventListener('change', () => {
      root.dataset.theme = one.value;
      store(one.value);
      changed();
    });
  }
  dark.addEventListener('change', () => {
    if (root.dataset.theme === 'auto') changed();
  });
}
