"use strict";
// Nginx serves this page also while nothing makes it anew: then it says so, and has no colours.
(() => {
  const made = document.getElementById("made");
  const late = document.getElementById("late");
  if (made === null || late === null) return;
  const look = () => {
    const isLate = Date.now() - Date.parse(made.dataset.made) > 5 * 60 * 1000;
    document.body.classList.toggle("stale", isLate);
    late.hidden = !isLate;
  };
  look();
  setInterval(look, 15000);
})();
