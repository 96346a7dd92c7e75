"use strict";
// Before the first paint, so that no page flashes in the other theme.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch (error) { /* no storage: as the system has it */ }
