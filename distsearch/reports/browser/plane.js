// What a network makes of each point of a plane.

class Plane {
  constructor(place, data) {
    this.place = place;
    this.data = data;
    redrawn(place, () => this.draw());
  }

  colours() {
    const style = getComputedStyle(root);
    const parsed = (name) => {
      const code = style.getPropertyValue(name).trim();
      return [1, 3, 5].map((at) => parseInt(code.slice(at, at + 2), 16));
    };
    return { all: Array.from({ length: COLOURS }, (_, at) => parsed(`--c${at}`)), ground: parsed("--panel"), grey: parsed("--grey") };
  }

  // The name of each class above the middle of its examples, where there are more classes than colours.
  names(pen, toX, toY, ink) {
    const { points, targets, classes } = this.data;
    const middle = (values) => values.sort((one, other) => one - other)[values.length >> 1];
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.textAlign = "center";
    pen.lineWidth = 3;
    pen.strokeStyle = ink.getPropertyValue("--panel");
    pen.fillStyle = ink.getPropertyValue("--ink");
    classes.forEach((name, number) => {
      const own = points.filter((_, at) => targets[at] === number);
      if (!own.length) return;
      const [x, y] = [0, 1].map((axis) => middle(own.map((point) => point[axis])));
      const text = name.length > 14 ? `${name.slice(0, 13)}…` : name;
      pen.strokeText(text, toX(x), toY(y) - 8);
      pen.fillText(text, toX(x), toY(y) - 8);
    });
    pen.lineWidth = 1;
  }

  draw() {
    const width = this.place.clientWidth;
    if (!width) return;
    const { rows, columns, values, certainty, x, y, points, targets, classes } = this.data;
    const height = Math.round(Math.max(220, Math.min(460, width * 0.72)));
    const ratio = window.devicePixelRatio || 1;
    this.canvas?.remove();
    this.canvas = document.createElement("canvas");
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.height = `${height}px`;
    this.place.prepend(this.canvas);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const { all, ground, grey } = this.colours();
    const mix = (one, share, other) => one.map((part, at) => Math.round(part * share + other[at] * (1 - share)));
    const ramp = (share) => (share < 0.5 ? mix(all[0], 1 - 2 * share, grey) : mix(all[1], 2 * share - 1, grey));
    const small = document.createElement("canvas");
    [small.width, small.height] = [columns, rows];
    const image = small.getContext("2d").createImageData(columns, rows);
    values.forEach((value, at) => {
      const row = rows - 1 - Math.floor(at / columns);
      const shade = classes ? mix(all[value % COLOURS], 0.14 + 0.4 * (certainty[at] / 9), ground) : mix(ramp(value / 99), 0.85, ground);
      image.data.set([...shade, 255], 4 * (row * columns + (at % columns)));
    });
    small.getContext("2d").putImageData(image, 0, 0);
    const box = { left: 44, top: 8, right: width - 8, bottom: height - 36 };
    pen.drawImage(small, box.left, box.top, box.right - box.left, box.bottom - box.top);
    const toX = (value) => box.left + ((value - x[0]) / (x[1] - x[0])) * (box.right - box.left);
    const toY = (value) => box.bottom - ((value - y[0]) / (y[1] - y[0])) * (box.bottom - box.top);
    points.forEach(([across, up], at) => {
      const dot = classes ? all[targets[at] % COLOURS] : ramp(targets[at] / 99);
      pen.beginPath();
      pen.arc(toX(across), toY(up), 3, 0, 7);
      pen.fillStyle = `rgb(${dot})`;
      pen.fill();
      pen.strokeStyle = `rgb(${ground})`;
      pen.stroke();
    });
    const ink = getComputedStyle(root);
    if (classes && classes.length > COLOURS) this.names(pen, toX, toY, ink);
    pen.fillStyle = ink.getPropertyValue("--soft");
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    pen.textAlign = "center";
    for (const value of ticks(x[0], x[1], Math.floor(width / 90))) pen.fillText(shown(value), toX(value), box.bottom + 15);
    pen.fillText(this.data.x_label, (box.left + box.right) / 2, height - 4, box.right - box.left);
    pen.textAlign = "right";
    for (const value of ticks(y[0], y[1], 6)) pen.fillText(shown(value), box.left - 6, toY(value) + 4);
    pen.save();
    pen.translate(11, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "center";
    pen.fillText(this.data.y_label, 0, 0, box.bottom - box.top);
    pen.restore();
  }
}
