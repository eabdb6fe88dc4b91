// Before the first paint: the colours that the visitor chose in this browser, and that there are scripts.
(() => {
  const root = document.documentElement;
  root.classList.remove("no-script");
  let theme = "auto";
  try {
    theme = localStorage.getItem("daemun-theme") ?? "auto";
  } catch {
    // A browser that keeps nothing shows the system's.
  }
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
