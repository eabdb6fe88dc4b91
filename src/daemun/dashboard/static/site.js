// <live-log>: new lines of a site's log as they come. Without it the page has the last ones as a list.
"use strict";

/** 0.0123 -> "12 ms", as the server writes it. */
function took(value) {
  if (value == null) return "–";
  return value < 1 ? `${value < 0.0095 && value > 0 ? (value * 1000).toFixed(1) : Math.round(value * 1000)} ms` : `${+value.toPrecision(3)} s`;
}

class LiveLog extends HTMLElement {
  connectedCallback() {
    this.bar = this.querySelector(".log-state");
    this.out = this.bar.querySelector("output");
    this.lost = this.bar.querySelector(".skipped");
    this.button = this.bar.querySelector("button");
    this.body = this.querySelector("tbody");
    this.none = this.querySelector(".log-none");
    this.most = Number(this.getAttribute("most"));
    this.waiting = [];
    this.skipped = 0;
    this.paused = false;
    this.button.addEventListener("click", () => this.pause(!this.paused));
    this.onVisible = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.onVisible);
    this.open();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.onVisible);
    this.close();
  }

  open() {
    if (this.source || this.ended) return;
    this.source = new EventSource(this.getAttribute("src"));
    this.source.addEventListener("row", (event) => this.take(JSON.parse(event.data)));
    this.source.addEventListener("skipped", (event) => this.skip(JSON.parse(event.data).count));
    this.source.addEventListener("beat", () => {
      document.querySelector("as-of")?.setAttribute("age", "0");
      this.state();
    });
    this.source.addEventListener("end", (event) => {
      this.ended = JSON.parse(event.data).why;
      this.close();
      this.state();
    });
    this.source.addEventListener("error", () => {
      if (!this.ended) this.out.textContent = this.dataset.lost;
      // A refusal closes it for good: once more, but not at once.
      if (this.source?.readyState === EventSource.CLOSED) {
        this.source = null;
        this.again = setTimeout(() => this.open(), 10000);
      }
    });
  }

  close() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  pause(paused) {
    this.paused = paused;
    this.button.textContent = paused ? this.dataset.go : this.dataset.pause;
    this.button.setAttribute("aria-pressed", String(paused));
    if (!paused) for (const row of this.waiting.splice(0)) this.add(row);
    this.state();
  }

  take(row) {
    if (this.paused) {
      this.waiting.push(row);
      if (this.waiting.length > this.most) this.waiting.shift();
    } else this.add(row);
    this.state();
  }

  skip(count) {
    this.skipped += count;
    this.lost.textContent = this.dataset.skipped.replace("{n}", this.skipped);
  }

  state() {
    let text = this.dataset.live;
    if (this.ended) text = this.dataset.ended.replace("{why}", this.ended);
    else if (this.paused) text = this.dataset.paused.replace("{n}", this.waiting.length);
    if (this.out.textContent !== text) this.out.textContent = text;
  }

  /** The newest first, as text: a visitor chose what stands in it. */
  add(row) {
    const line = document.createElement("tr");
    const time = document.createElement("time");
    time.dateTime = row.time ?? "";
    time.textContent = (row.time ?? "").slice(11, 19);
    const failed = row.kind === "error";
    line.className = failed ? "report" : row.status >= 500 ? "failed" : row.status >= 400 ? "refused" : "";
    const request = row.request_id ? document.createElement("a") : document.createElement("span");
    if (row.request_id) request.href = this.getAttribute("why") + encodeURIComponent(row.request_id);
    request.textContent = failed ? `${row.message} ${row.method ?? ""} ${row.uri ?? ""}`.trim() : `${row.method ?? ""} ${row.uri ?? ""}`.trim();
    const cells = [time, failed ? row.level : String(row.status ?? "–"), request, took(row.request_time), row.upstream ?? "–", row.client ?? "–"];
    for (const [place, value] of cells.entries()) {
      const cell = document.createElement("td");
      cell.append(value);
      if (place === 3) cell.className = "number";
      line.append(cell);
    }
    this.body.prepend(line);
    while (this.body.rows.length > this.most) this.body.lastElementChild.remove();
    this.none.hidden = true;
  }
}
customElements.define("live-log", LiveLog);
