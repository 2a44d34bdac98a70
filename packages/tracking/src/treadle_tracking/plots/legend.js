// Colors, and what they mean.

// Viridis (S. van der Walt, N. Smith, 2015; CC0) at even distances: its lightness grows evenly with the value.
const VIRIDIS = [
  [68, 1, 84],
  [72, 36, 117],
  [65, 68, 135],
  [53, 95, 141],
  [42, 120, 142],
  [33, 145, 140],
  [34, 168, 132],
  [68, 191, 112],
  [122, 209, 81],
  [189, 223, 38],
  [253, 231, 37],
];

const darkness = matchMedia("(prefers-color-scheme: dark)");

// What of it stands out from white, and from black.
const shares = () => (darkness.matches ? [0.28, 1] : [0, 0.8]);

function colorAt(position) {
  const [first, last] = shares();
  const place = (first + (last - first) * Math.min(1, Math.max(0, position))) * (VIRIDIS.length - 1);
  const below = Math.min(VIRIDIS.length - 2, Math.floor(place));
  const mixed = VIRIDIS[below].map((part, index) =>
    Math.round(part + (VIRIDIS[below + 1][index] - part) * (place - below)),
  );
  return `rgb(${mixed.join(" ")})`;
}

const withoutValue = () => (darkness.matches ? "rgb(150 150 150)" : "rgb(120 120 120)");

function colorOf(picture, run) {
  const position = picture.color.positions[run];
  return Number.isNaN(position) ? withoutValue() : colorAt(position);
}

function swatch(color, text) {
  const square = element("span", { class: "swatch" });
  square.style.background = color;
  return element("span", { class: "entry" }, square, element("span", { class: "words", text, title: text }));
}

function drawLegend(picture) {
  const axis = picture.color;
  const shown = [];
  const count = axis.type === "category" ? axis.categories.length : 0;
  if (axis.type === "category" && count <= 6) {
    axis.categories.forEach((text, index) =>
      shown.push(swatch(colorAt(categoryPosition(index, count)), text)),
    );
  } else if (count > 0 || axis.scale !== null) {
    const bar = element("span", { class: "bar" });
    const stops = Array.from({ length: 11 }, (_, index) => colorAt(index / 10));
    bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    const ends =
      count > 0
        ? [axis.categories[0], axis.categories[count - 1]]
        : [axis.scale.low, axis.scale.value(0.5), axis.scale.high].map((value) => brief(value, 3));
    const words = ends.map((text) => element("span", { class: "words", text, title: text }));
    const single = new Set(ends).size === 1;
    shown.push(
      element(
        "span",
        { class: "scale" },
        bar,
        element("span", { class: "ends" }, ...(single ? words.slice(0, 1) : words)),
      ),
    );
  }
  if (axis.positions.some(Number.isNaN)) shown.push(swatch(withoutValue(), "off the axis"));
  picture.legend.replaceChildren(...shown);
}
