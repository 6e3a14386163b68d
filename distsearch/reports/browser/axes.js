// The numbers at axes: where they stand, and how they are written.

function shown(value, percent, digits = 3) {
  if (percent) return `${+(100 * value).toPrecision(digits + 1)}%`;
  const size = Math.abs(value);
  if (size === 0) return "0";
  const [counted, letter] = unit(value);
  if (letter) return `${+(value / counted).toPrecision(digits + 1)}${letter}`;
  if (size >= 1e3) return (+value.toPrecision(digits + 1)).toLocaleString("en");
  const short = +value.toPrecision(digits);
  return size < 1e-3 ? short.toExponential() : `${short}`;
}

// What a number of this size is counted in, and the letter that says so.
function unit(value) {
  const units = [[1e9, 1e9, "G"], [1e6, 1e6, "M"], [1e4, 1e3, "k"]];
  const [, counted, letter] = units.find(([least]) => Math.abs(value) >= least) || [0, 1, ""];
  return [counted, letter];
}

// Numbers in equal steps, written alike: in one unit, and with as many decimals as the step needs.
function inEqualSteps(values, percent) {
  const [size, letter] = percent ? [0.01, "%"] : unit(Math.max(...values.map(Math.abs)));
  const counted = values.map((each) => each / size);
  const near = Math.abs(counted[1] - counted[0]) * 1e-3;
  for (let decimals = 0; decimals < 6; decimals++) {
    if (!counted.every((each) => Math.abs(each - +each.toFixed(decimals)) <= near)) continue;
    const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return counted.map((each) =>
      Math.abs(each) > near ? each.toLocaleString("en", form) + letter : percent ? "0%" : "0");
  }
  return values.map((each) => shown(each, percent, 8));
}

// The numbers at an axis, with the digits that tell them apart.
function allShown(values, percent) {
  const step = values[1] - values[0];
  if (values.length > 1 && values.every((each, at) => Math.abs(each - values[0] - at * step) <= 1e-6 * Math.abs(step))) {
    return inEqualSteps(values, percent);
  }
  let texts = [];
  for (let digits = 3; digits <= 8; digits++) {
    texts = values.map((each) => shown(each, percent, digits));
    if (new Set(texts).size === values.length) break;
  }
  return texts;
}

function ticks(low, high, most) {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0)) return [low];
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((each) => each >= rough * 0.999);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step);
  return found;
}

function logTicks(low, high, most) {
  for (const factors of [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of factors) {
        const value = factor * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    if (found.length <= most || factors.length === 1) {
      const every = Math.ceil(found.length / most);
      return found.filter((_, number) => number % every === 0);
    }
  }
  return [];
}
