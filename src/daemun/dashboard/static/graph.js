// <traffic-graph>: uPlot with what it lacks: a label, values by arrow keys, the page's colours, and its own width.
"use strict";

const COLOURS = ["1", "2", "3", "4", "5", "6", "good", "warning", "bad"];

const UNITS = {
  number: (value) => short(value, 1000, ["", " k", " M", " G", " T"]),
  size: (value) => short(value, 1024, [" B", " KiB", " MiB", " GiB", " TiB"]),
  percent: (value) => `${+(value * 100).toPrecision(3)} %`,
  seconds: (value) => (value < 1 ? `${+(value * 1000).toPrecision(3)} ms` : `${+value.toPrecision(3)} s`),
};

/** 12345 -> "12.3 k" */
function short(value, step, names) {
  let power = 0;
  while (Math.abs(value) >= step && power < names.length - 1) {
    value /= step;
    power += 1;
  }
  return `${+value.toPrecision(3)}${names[power]}`;
}

class TrafficGraph extends HTMLElement {
  static observedAttributes = ["points"];

  connectedCallback() {
    this.place = this.querySelector(".plot");
    this.place.tabIndex = 0;
    this.place.setAttribute("role", "group");
    this.place.setAttribute("aria-label", `${this.querySelector("figcaption").textContent}. ${this.getAttribute("keys")}`);
    this.out = this.querySelector(".plot-values");
    this.write = UNITS[this.getAttribute("unit")] ?? UNITS.number;
    this.resized = new ResizeObserver(() => this.plot?.setSize(this.area()));
    this.resized.observe(this.place);
    this.redraw = () => this.draw();
    document.addEventListener("daemun:theme", this.redraw);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.redraw);
    this.place.addEventListener("keydown", (event) => this.move(event));
    this.draw();
  }

  disconnectedCallback() {
    this.resized.disconnect();
    document.removeEventListener("daemun:theme", this.redraw);
    this.dark.removeEventListener("change", this.redraw);
    this.plot?.destroy();
  }

  attributeChangedCallback() {
    if (!this.plot) return;
    const before = this.series.map((one) => one.label).join("\n");
    this.read();
    if (this.series.map((one) => one.label).join("\n") === before) this.plot.setData(this.data);
    else this.draw();
  }

  read() {
    const points = JSON.parse(this.getAttribute("points"));
    this.series = points.series;
    this.data = [points.times, ...points.series.map((one) => one.values)];
  }

  area() {
    const width = this.place.clientWidth;
    return { width, height: width < 480 ? 150 : 190 };
  }

  draw() {
    this.read();
    this.plot?.destroy();
    this.plot = null;
    this.place.replaceChildren();
    if (!this.data[0].length) {
      this.place.textContent = this.getAttribute("empty");
      return;
    }
    // Canvas takes no light-dark(): what the browser makes of it is read of an element.
    const probe = document.createElement("span");
    this.append(probe);
    const real = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const text = real("--muted");
    const grid = real("--line");
    const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: "12px system-ui" };
    const language = this.getAttribute("language");
    const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    const day = new Intl.DateTimeFormat(language, { month: "short", day: "numeric" });
    const options = {
      ...this.area(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [
        {
          ...axis,
          space: 64,
          values: (_, ticks, __, ___, step) => ticks.map((tick) => (step >= 86400 ? day : clock).format(tick * 1000)),
        },
        { ...axis, size: 64, space: 34, values: (_, ticks) => ticks.map((tick) => this.write(tick)) },
      ],
      series: [
        {},
        ...this.series.map((one, place) => ({
          label: one.label,
          stroke: real(`--${this.named(one.colour ?? place + 1)}`),
          width: 1.5,
          dash: place % 2 ? [6, 3] : undefined,
          points: { show: this.data[0].length < 3 },
          spanGaps: false,
        })),
      ],
      hooks: { setCursor: [(plot) => this.show(plot.cursor.idx)] },
    };
    this.plot = new uPlot(options, this.data, this.place);
    probe.remove();
    this.show(null);
  }

  named(colour) {
    const name = COLOURS.includes(String(colour)) ? String(colour) : "1";
    return name.length > 1 ? name : `line-${name}`;
  }

  /** The values at a place; of the last one when there is none. */
  show(place) {
    const times = this.data[0];
    const index = place ?? times.length - 1;
    const when = new Date(times[index] * 1000);
    const parts = this.series.map((one, number) => {
      const item = document.createElement("span");
      item.className = `value ${this.named(one.colour ?? number + 1)}`;
      const value = one.values[index];
      item.textContent = `${one.label} ${value == null ? "–" : this.write(value)}`;
      return item;
    });
    const time = document.createElement("time");
    time.dateTime = when.toISOString();
    time.textContent = when.toLocaleString(this.getAttribute("language"), {
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    this.out.replaceChildren(time, ...parts);
  }

  move(event) {
    if (!this.plot) return;
    const last = this.data[0].length - 1;
    const now = this.plot.cursor.idx ?? last;
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, PageUp: now - 10, PageDown: now + 10 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, next));
    const left = this.plot.valToPos(this.data[0][index], "x");
    this.plot.setCursor({ left, top: 0 });
    this.show(index);
  }
}
customElements.define("traffic-graph", TrafficGraph);
