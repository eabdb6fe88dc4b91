// What every page does beside htmx. Pages work without it.
"use strict";

const root = document.documentElement;

/** Read by screen readers, seen nowhere. */
function announce(text) {
  const live = document.getElementById("live");
  if (live) live.textContent = text;
}

/** Its button copies the attribute `text`. */
class CopyButton extends HTMLElement {
  connectedCallback() {
    const button = this.querySelector("button");
    const label = button.textContent;
    this.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      let said = this.getAttribute("done");
      try {
        await navigator.clipboard.writeText(this.getAttribute("text"));
      } catch {
        said = this.getAttribute("failed");
      }
      announce(said);
      button.textContent = said;
      setTimeout(() => (button.textContent = label), 2000);
    });
  }
}
customElements.define("copy-button", CopyButton);

/** "as of 2 s ago": counts on from the attribute `age` by the browser's own clock; the page turns grey when it is stale. */
class AsOf extends HTMLElement {
  static observedAttributes = ["age"];

  connectedCallback() {
    this.timer = setInterval(() => this.show(), 1000);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  attributeChangedCallback() {
    this.since = performance.now() - 1000 * Number(this.getAttribute("age"));
    this.show();
  }

  show() {
    const age = Math.max(0, Math.round((performance.now() - this.since) / 1000));
    const stale = age > Number(this.getAttribute("limit") ?? 30);
    this.textContent = (stale ? this.dataset.stale : this.dataset.fresh).replace("{n}", age);
    this.classList.toggle("is-stale", stale);
    root.classList.toggle("is-stale", stale);
  }
}
customElements.define("as-of", AsOf);

/** Light, dark, or as the system; kept in this browser. */
class ThemeSwitch extends HTMLElement {
  connectedCallback() {
    this.hidden = false;
    const now = root.dataset.theme ?? "auto";
    for (const radio of this.querySelectorAll("input")) {
      radio.checked = radio.value === now;
      radio.addEventListener("change", () => this.choose(radio.value));
    }
  }

  choose(theme) {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    try {
      localStorage.setItem("daemun-theme", theme);
    } catch {
      // It holds for this page.
    }
    document.dispatchEvent(new CustomEvent("daemun:theme"));
  }
}
customElements.define("theme-switch", ThemeSwitch);

/** "/" leads to the search, but not while somebody writes. */
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector("[data-key='/']");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.menu[open], details.confirm[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
});

// A menu closes when something else is pressed.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

/** The icon of the tab follows the state in the header, which htmx may have exchanged. */
function followState() {
  const icon = document.querySelector("link[rel='icon']");
  const address = icon?.dataset[document.getElementById("overall")?.dataset.state];
  if (address && icon.getAttribute("href") !== address) icon.setAttribute("href", address);
}

document.addEventListener("DOMContentLoaded", () => {
  followState();
  // Whoever sent a form with faults goes on at the list of them.
  document.querySelector(".message.failed[tabindex]")?.focus();
  new MutationObserver(followState).observe(document.body, { childList: true, subtree: true, attributeFilter: ["data-state"] });
});
