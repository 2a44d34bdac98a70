// Which runs are selected, and the address of the page that says so.

// The places beside an axis for what is no finite number, from the top; the first one is above it.
const PLACES = ["inf", "-inf", "nan", "none", "other", "missing"];
const PLACE_NAMES = {
  inf: "inf",
  "-inf": "-inf",
  nan: "NaN",
  none: "None",
  other: "other",
  missing: "missing",
};
const PLACE_HINTS = {
  inf: "positive infinity",
  "-inf": "negative infinity",
  nan: "not a number",
  none: "None was given",
  other: "a text, boolean or list among numbers",
  missing: "the run has no value",
};

// The name of the place beside the axis that a run has, if it has one.
function placeOf(axis, run) {
  const value = axis.values[run];
  if (axis.type === "category") return value < 0 ? "missing" : null;
  return typeof value === "string" ? value : null;
}

// What is picked by name: `.text` is a category, `-name` a place beside the axis.
function pickOf(axis, run) {
  const place = placeOf(axis, run);
  if (place !== null) return `-${place}`;
  return axis.type === "category" ? `.${axis.categories[axis.values[run]]}` : null;
}

function isBounded(axis) {
  return axis.least !== null || axis.most !== null;
}

function isActive(axis) {
  return isBounded(axis) || axis.picks.size > 0;
}

function clear(axis) {
  [axis.least, axis.most] = [null, null];
  axis.picks.clear();
}

function isWithin(axis, run) {
  const pick = pickOf(axis, run);
  if (pick !== null && axis.picks.has(pick)) return true;
  if (axis.type === "category" || !isBounded(axis)) return false;
  const place = placeOf(axis, run);
  if (place !== null && place !== "inf" && place !== "-inf") return false;
  // Infinities are compared like other numbers.
  const value = place === null ? axis.values[run] : place === "inf" ? Infinity : -Infinity;
  return (axis.least === null || value >= axis.least) && (axis.most === null || value <= axis.most);
}

function select(picture) {
  const active = picture.axes.filter(isActive);
  picture.selected = 0;
  for (let run = 0; run < picture.count; run += 1) {
    const isIn = active.every((axis) => isWithin(axis, run));
    picture.mask[run] = isIn ? 1 : 0;
    picture.selected += picture.mask[run];
  }
}

// The state of the picture as the query of a URL.
function written(picture) {
  const words = new URLSearchParams();
  for (const axis of picture.axes) {
    if (isBounded(axis)) {
      const [least, most] = [axis.least, axis.most].map((bound) => (bound === null ? "" : exact(bound)));
      words.append(`bounds.${axis.key}`, `${least}..${most}`);
    }
    for (const pick of axis.picks) words.append(`pick.${axis.key}`, pick);
    if (axis.type === "number" && axis.scaleKind !== axis.firstScale)
      words.append(`scale.${axis.key}`, axis.scaleKind);
  }
  if (picture.color.key !== picture.first.color) words.append("color", picture.color.key);
  if (picture.axes.some((axis, place) => axis.key !== picture.first.order[place])) {
    for (const axis of picture.axes) words.append("order", axis.key);
  }
  if (picture.sort.key !== null) words.append("sort", (picture.sort.down ? "-" : "+") + picture.sort.key);
  return words.toString();
}

// Take on a state that `written` gave; what it names and the picture does not have is passed over.
function read(picture, text) {
  const words = new URLSearchParams(text === "all" ? "" : text);
  for (const axis of picture.axes) {
    clear(axis);
    for (const pick of words.getAll(`pick.${axis.key}`)) axis.picks.add(pick);
    if (axis.type !== "number") continue;
    const bounds = (words.get(`bounds.${axis.key}`) ?? "..").split("..").map(typed);
    if (bounds.length === 2 && !bounds.includes(undefined)) [axis.least, axis.most] = bounds;
    const scale = words.get(`scale.${axis.key}`) ?? axis.firstScale;
    const isPossible = SCALES.includes(scale) && (scale !== "log" || axis.withoutLog === null);
    axis.scaleKind = isPossible ? scale : axis.firstScale;
  }
  const color = words.get("color") ?? picture.first.color;
  picture.color = picture.axes.find((axis) => axis.key === color) ?? picture.color;
  const named = words.getAll("order");
  const order = named.length > 0 ? named : picture.first.order;
  const place = (axis) => (order.includes(axis.key) ? order.indexOf(axis.key) : order.length);
  picture.axes.sort((one, other) => place(one) - place(other));
  const sort = words.get("sort");
  picture.sort = sort ? { key: sort.slice(1), down: sort[0] === "-" } : { key: null, down: false };
}

// A frame of a notebook has no address of its own.
const hasAddress = location.protocol !== "about:";

function toAddress(picture) {
  if (!hasAddress) return;
  const text = written(picture);
  const fragment = text === picture.first.text ? "" : `#${text || "all"}`;
  if (fragment !== location.hash)
    history.replaceState(null, "", location.pathname + location.search + fragment);
}

function fromAddress(picture) {
  const text = hasAddress ? location.hash.slice(1) : "";
  read(picture, text || picture.first.text);
}
