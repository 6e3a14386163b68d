"use strict";
// What all figures share: pieces of SVG, colours, and drawing again at another width.

const SVG = "http://www.w3.org/2000/svg";
const root = document.documentElement;

function element(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.appendChild(made);
  return made;
}

const COLOURS = 10; // --c0 to --c9 of the style
const colour = (number) => (number < 0 ? "var(--grey)" : `var(--c${number % COLOURS})`);

// Draw again whenever the place has another width.
function redrawn(place, draw) {
  let width = 0;
  const look = () => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  };
  look();
  new ResizeObserver(() => setTimeout(look)).observe(place);
}
