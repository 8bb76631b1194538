// Runs before the first paint, so that a dark page does not flash light.
'use strict';
try {
  document.documentElement.dataset.theme = localStorage.getItem('theme') ?? 'auto';
} catch {
  document.documentElement.dataset.theme = 'auto'; // storage is switched off
}
