// The numbers at axes: where they stand, and how they are written.

function shown(value, percent, digits = 3) {
  if (percent) return `${+(100 * value).toPrecision(digits + 1)}%`;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e9) return `${+(value / 1e9).toPrecision(digits + 1)}G`;
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(digits + 1)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(digits + 1)}k`;
  if (size >= 1e3) return (+value.toPrecision(digits + 1)).toLocaleString("en");
  const short = +value.toPrecision(digits);
  return size < 1e-3 ? short.toExponential() : `${short}`;
}

// The numbers at an axis, with the digits that tell them apart.
function allShown(values, percent) {
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
