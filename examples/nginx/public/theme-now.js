// Before the first paint, so that nobody who chose dark sees a flash of light.
'use strict';
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'auto';
} catch {
  document.documentElement.dataset.theme = 'auto'; // storage is switched off
}
