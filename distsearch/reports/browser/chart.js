// Curves, with zoom and hover.

const LETTER = 7; // the width of one, about
const MARGIN = 22; // on the right: half a number at the axis
const MARK_ROWS = 5; // of texts at marks, below each other
const NEAR = 0.1; // of the plot: how far before its right edge a line may end to have its name there

// The name of a line, without its middle if there is no room for it beside the end.
const named = (each) => (each.name.length > 28 ? `${each.name.slice(0, 13)}..${each.name.slice(-13)}` : each.name);

class Chart {
  constructor(place, data) {
    this.place = place;
    this.data = data;
    this.zoom = null; // the range of x that is shown, if it is not all
    this.tip = place.querySelector(".tip");
    this.clip = `clip-${Chart.count++}`;
    place.addEventListener("pointermove", (event) => this.hover(event));
    place.addEventListener("pointerleave", () => this.leave());
    place.addEventListener("pointerdown", (event) => this.begin(event));
    place.addEventListener("pointerup", (event) => this.end(event));
    place.addEventListener("dblclick", () => this.show(null));
    this.all = place.querySelector(".all");
    this.all.addEventListener("click", () => this.show(null));
    redrawn(place, () => this.draw());
  }

  show(zoom) {
    this.zoom = zoom;
    this.all.style.display = zoom ? "block" : "none";
    this.draw();
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width) return;
    const data = this.data;
    const height = Math.max(210, Math.min(320, width * 0.6));
    this.svg?.remove();
    this.svg = element("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": data.title });
    this.place.prepend(this.svg);
    this.range();
    this.numbers();
    const start = Math.max(52, 12 + LETTER * Math.max(...this.texts.map((each) => each.length)));
    this.box = { left: start, right: start + this.room(width - start - MARGIN), top: 10, bottom: height - 40 };
    this.axes(width, height);
    const area = element("clipPath", { id: this.clip }, this.svg);
    const { left, right: end, top, bottom } = this.box;
    element("rect", { x: left - 4, y: top - 4, width: end - left + 8, height: bottom - top + 8 }, area);
    const inside = element("g", { "clip-path": `url(#${this.clip})` }, this.svg);
    this.taken = []; // the right ends of the texts at marks, by row
    for (const each of data.lines) this.line(inside, each);
    for (const [x, what] of data.marks) this.mark(inside, x, what);
    this.labels();
    this.cross = element("line", { y1: top, y2: bottom, stroke: "var(--soft)", "stroke-dasharray": "2 3", visibility: "hidden" }, this.svg);
    this.band = element("rect", { y: top, height: bottom - top, fill: "var(--soft)", opacity: 0.15, visibility: "hidden" }, this.svg);
  }

  range() {
    const { lines, logarithmic, from_zero: fromZero } = this.data;
    let low = Infinity, high = -Infinity, first = Infinity, last = -Infinity;
    const across = [...lines.map((each) => each.x), this.data.marks.map(([x]) => x)];
    for (const each of across) for (const x of each) { first = Math.min(first, x); last = Math.max(last, x); }
    if (this.zoom) [first, last] = this.zoom;
    for (const each of lines) {
      each.x.forEach((x, at) => {
        if (x < first || x > last) return;
        for (const y of [each.y[at], each.low?.[at], each.high?.[at]]) {
          if (y === undefined || (logarithmic && y <= 0)) continue;
          low = Math.min(low, y);
          high = Math.max(high, y);
        }
      });
    }
    if (!(low <= high)) [low, high] = [1, 2];
    if (fromZero) low = Math.min(0, low);
    this.scale = logarithmic ? Math.log10 : (value) => value;
    let [from, to] = [this.scale(low), this.scale(high)];
    const room = (to - from) * 0.04 || Math.abs(to) * 0.1 || 0.1;
    this.y0 = low === 0 && fromZero ? from : from - room;
    this.y1 = to + room;
    this.x0 = first;
    this.x1 = last > first ? last : first + 1;
  }

  // The width of the plot that leaves each name room beside the end of its line.
  room(width) {
    let room = width;
    for (const each of this.data.lines) {
      if (!each.name || !each.x.length) continue;
      const share = this.zoom ? 1 : Math.max(0.05, (Math.max(...each.x) - this.x0) / (this.x1 - this.x0));
      room = Math.min(room, (width - LETTER * named(each).length) / share);
    }
    return Math.max(width * 0.5, room);
  }

  toX(x) { return this.box.left + ((x - this.x0) / (this.x1 - this.x0)) * (this.box.right - this.box.left); }
  toY(y) { return this.box.bottom - ((this.scale(y) - this.y0) / (this.y1 - this.y0)) * (this.box.bottom - this.box.top); }
  fromX(place) { return this.x0 + ((place - this.box.left) / (this.box.right - this.box.left)) * (this.x1 - this.x0); }

  // The numbers at the axis of y, and how they are written.
  numbers() {
    const { logarithmic, percent } = this.data;
    this.values = logarithmic ? logTicks(10 ** this.y0, 10 ** this.y1, 8) : ticks(this.y0, this.y1, 6);
    this.texts = allShown(this.values, percent);
  }

  axes(width, height) {
    const { left, right, top, bottom } = this.box;
    for (const [at, value] of this.values.entries()) {
      const y = this.toY(value);
      element("line", { x1: left, x2: right, y1: y, y2: y, stroke: "var(--grid)" }, this.svg);
      element("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, this.svg).textContent = this.texts[at];
    }
    let places = ticks(this.x0, this.x1, Math.max(4, Math.floor((right - left) / 70)));
    if (this.data.lines.every((each) => each.x.every(Number.isInteger))) places = places.filter(Number.isInteger);
    const below = allShown(places);
    for (const [at, value] of places.entries()) {
      const x = this.toX(value);
      element("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, stroke: "var(--grey)" }, this.svg);
      element("text", { x, y: bottom + 17, "text-anchor": "middle" }, this.svg).textContent = below[at];
    }
    element("line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: "var(--grey)" }, this.svg);
    element("text", { x: (left + right) / 2, y: height - 5, "text-anchor": "middle" }, this.svg).textContent = this.data.x_label;
  }

  line(parent, each) {
    const places = each.x.map((x, at) => [this.toX(x), this.toY(each.y[at])]);
    const stroke = colour(each.colour);
    if (each.style === "dots") {
      const radius = this.data.lines.every((other) => other.style !== "dots" || other.x.length <= 50) ? 3.5 : 2;
      const path = places.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
      element("path", { d: path, stroke, "stroke-width": 2 * radius, "stroke-linecap": "round", fill: "none", opacity: 0.8 }, parent);
      return;
    }
    if (each.low) {
      const over = each.x.map((x, at) => `${this.toX(x).toFixed(1)},${this.toY(each.high[at]).toFixed(1)}`);
      const under = each.x.map((x, at) => `${this.toX(x).toFixed(1)},${this.toY(each.low[at]).toFixed(1)}`).reverse();
      element("polygon", { points: [...over, ...under].join(" "), fill: stroke, opacity: 0.16 }, parent);
    }
    const path = places.map(([x, y], at) => {
      if (each.style !== "steps" || !at) return `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
      return `H${((places[at - 1][0] + x) / 2).toFixed(1)}V${y.toFixed(1)}H${x.toFixed(1)}`;
    });
    const width = each.style === "faint" ? 1 : 2;
    const dashes = each.style === "dashed" ? { "stroke-dasharray": "6 4" } : {};
    element("path", { d: path.join(""), stroke, "stroke-width": width, fill: "none", "stroke-linejoin": "round", ...dashes }, parent);
  }

  mark(parent, x, what) {
    const place = this.toX(x);
    element("line", { x1: place, x2: place, y1: this.box.top, y2: this.box.bottom, stroke: "var(--grey)", "stroke-dasharray": "2 3" }, parent);
    let row = this.taken.findIndex((end) => end < place);
    if (row < 0) row = this.taken.length;
    if (row >= MARK_ROWS) return; // its text would hide others
    const text = element("text", { x: place + 4, y: this.box.top + 9 + 14 * row }, parent);
    text.textContent = what;
    this.taken[row] = place + 4 + LETTER * what.length;
  }

  labels() {
    const { top, bottom, left, right } = this.box;
    const ends = [];
    for (const each of this.data.lines) {
      const inside = each.x.map((x, at) => at).filter((at) => each.x[at] >= this.x0 && each.x[at] <= this.x1);
      if (!each.name || !inside.length) continue;
      const last = inside.reduce((best, at) => (each.x[at] >= each.x[best] ? at : best));
      const end = this.toX(each.x[last]);
      const near = right - end < NEAR * (right - left); // these stand in one column
      ends.push({ each, x: near ? right : end, y: this.toY(each.y[last]) });
    }
    ends.sort((one, other) => one.y - other.y);
    ends.forEach((end, at) => {
      const least = at ? ends[at - 1].y + 15 : top + 4;
      const most = bottom - 15 * (ends.length - at - 1);
      end.y = Math.max(least, Math.min(end.y, most));
      const text = element("text", { x: end.x + 7, y: end.y + 4 }, this.svg);
      text.style.fill = colour(end.each.colour);
      text.textContent = named(end.each);
    });
  }

  at(event) {
    const place = event.clientX - this.svg.getBoundingClientRect().left;
    return Math.max(this.box.left, Math.min(this.box.right, place));
  }

  hover(event) {
    if (!this.svg) return;
    const place = this.at(event);
    const x = this.fromX(place);
    this.cross.setAttribute("x1", place);
    this.cross.setAttribute("x2", place);
    this.cross.setAttribute("visibility", "visible");
    if (this.from !== undefined) {
      this.band.setAttribute("x", Math.min(this.from, place));
      this.band.setAttribute("width", Math.abs(place - this.from));
      this.band.setAttribute("visibility", "visible");
    }
    this.tip.replaceChildren(document.createTextNode(`${this.data.x_label}: ${shown(x)}`));
    for (const each of this.data.lines) {
      if (each.style === "dots" || !each.x.length) continue;
      let near = 0;
      each.x.forEach((value, at) => { if (Math.abs(value - x) < Math.abs(each.x[near] - x)) near = at; });
      const row = document.createElement("div");
      row.style.color = colour(each.colour);
      row.textContent = `${each.name || this.data.y_label}: ${shown(each.y[near], this.data.percent)}`;
      this.tip.appendChild(row);
    }
    this.tip.style.display = "block";
    const beyond = place + 14 + this.tip.offsetWidth > this.place.clientWidth;
    this.tip.style.left = `${Math.max(0, beyond ? place - 14 - this.tip.offsetWidth : place + 14)}px`;
  }

  leave() {
    this.tip.style.display = "none";
    this.cross?.setAttribute("visibility", "hidden");
    this.band?.setAttribute("visibility", "hidden");
    this.from = undefined;
  }

  begin(event) {
    if (event.pointerType === "mouse" && event.button === 0) this.from = this.at(event);
  }

  end(event) {
    const from = this.from;
    this.from = undefined;
    this.band.setAttribute("visibility", "hidden");
    if (from === undefined || Math.abs(this.at(event) - from) < 8) return;
    const ends = [this.fromX(from), this.fromX(this.at(event))];
    this.show([Math.min(...ends), Math.max(...ends)]);
  }
}
Chart.count = 0;
