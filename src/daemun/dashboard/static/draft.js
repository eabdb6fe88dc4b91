// The countdown of what is on trial.
"use strict";

/** Seconds until the moment `until`; the page is loaded again when it is over, as it has something else to show then. */
class TimeLeft extends HTMLElement {
  connectedCallback() {
    this.timer = setInterval(() => this.show(), 1000);
    this.show();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }

  show() {
    const left = Math.ceil((Date.parse(this.getAttribute("until")) - Date.now()) / 1000);
    if (Number.isNaN(left)) return;
    this.textContent = this.getAttribute("text").replace("{n}", Math.max(0, left));
    if (left > -3) return;
    clearInterval(this.timer);
    location.assign(this.getAttribute("then"));
  }
}
customElements.define("time-left", TimeLeft);
