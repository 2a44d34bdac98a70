// Selecting along an axis with the pointer.

// Where the selected parts of an axis are: pairs of positions, from the lower to the upper one.
function selectedParts(axis) {
  if (axis.type === "number") {
    if (!isBounded(axis) || axis.scale === null) return [];
    const position = (bound, otherwise) =>
      bound === null ? otherwise : Math.min(1, Math.max(0, boundPosition(axis.scale, bound)));
    return [[position(axis.least, 0), position(axis.most, 1)]];
  }
  const parts = [];
  const count = axis.categories.length;
  axis.categories.forEach((text, index) => {
    if (!axis.picks.has(`.${text}`)) return;
    if (parts.length > 0 && parts.at(-1)[1] === index / count) parts.at(-1)[1] = (index + 1) / count;
    else parts.push([index / count, (index + 1) / count]);
  });
  return parts;
}

// A logarithmic axis has no place for 0 and less.
function boundPosition(scale, bound) {
  return scale.kind === "log" && bound <= 0 ? 0 : scale.position(bound);
}

function drawSelection(picture, axis) {
  const { layout } = picture;
  const parts = selectedParts(axis).map(([low, high]) => {
    const part = element(
      "div",
      { class: "brush" },
      element("div", { class: "handle up" }),
      element("div", { class: "handle down" }),
    );
    part.style.bottom = `${low * layout.length}px`;
    part.style.height = `${Math.max(2, (high - low) * layout.length)}px`;
    return part;
  });
  axis.brushes.replaceChildren(...parts);
  for (const button of axis.part.querySelectorAll("[data-pick]")) {
    button.setAttribute("aria-pressed", String(axis.picks.has(button.dataset.pick)));
  }
}

// Drag along an axis: a new part, or an end or the whole of one that is there. Double-click: everything.
function watchTrack(picture, axis) {
  const { track } = axis;
  let drag = null;
  const positionOf = (event) => {
    const box = track.getBoundingClientRect();
    return (box.bottom - event.clientY) / box.height;
  };
  const stop = () => {
    if (drag?.isMoving) {
      picture.isDragging = false;
      picture.select();
    }
    drag = null;
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || (axis.type === "number" && axis.scale === null)) return;
    drag = { y: event.clientY, isMoving: false, ...grip(picture, axis, positionOf(event)) };
  });
  track.addEventListener("pointermove", (event) => {
    if (drag === null) return;
    if (event.buttons === 0) {
      stop();
      return;
    }
    if (!drag.isMoving) {
      if (Math.abs(event.clientY - drag.y) < 4) return;
      drag.isMoving = true;
      picture.isDragging = true;
      track.setPointerCapture(event.pointerId);
      picture.highlight(-1);
      picture.box.hidden = true;
    }
    drawTo(picture, axis, drag, positionOf(event));
    picture.select();
  });
  track.addEventListener("pointerup", stop);
  track.addEventListener("pointercancel", stop);
  track.addEventListener("dblclick", () => {
    clear(axis);
    picture.select();
  });
}

// What a drag that begins at a position takes hold of.
function grip(picture, axis, position) {
  const near = 6 / picture.layout.length;
  for (const [low, high] of selectedParts(axis)) {
    if (Math.abs(position - high) <= near) return { fixed: low, bound: axis.least, end: "least" };
    if (Math.abs(position - low) <= near) return { fixed: high, bound: axis.most, end: "most" };
    if (position > low && position < high) return { part: [low, high], from: position };
  }
  return { fixed: position, bound: undefined };
}

function drawTo(picture, axis, drag, position) {
  if (drag.part) {
    const [low, high] = drag.part;
    const by = Math.min(1 - high, Math.max(-low, position - drag.from));
    take(picture, axis, [low + by, undefined], [high + by, undefined]);
    return;
  }
  const here = [Math.min(1, Math.max(0, position)), undefined];
  const there = [Math.min(1, Math.max(0, drag.fixed)), drag.bound];
  if (here[0] < there[0] || (here[0] === there[0] && drag.end === "most")) take(picture, axis, here, there);
  else take(picture, axis, there, here);
}

// Select what lies between two positions, each with its bound where that is known.
function take(picture, axis, [low, least], [high, most]) {
  if (axis.type === "number") {
    const pixel = 1 / picture.layout.length;
    axis.least = least === undefined ? boundAt(axis.scale, low, pixel, true) : least;
    axis.most = most === undefined ? boundAt(axis.scale, high, pixel, false) : most;
    return;
  }
  const count = axis.categories.length;
  const inside = axis.categories.filter((_, index) => {
    const position = categoryPosition(index, count);
    return position >= low && position <= high;
  });
  for (const text of axis.categories) axis.picks.delete(`.${text}`);
  for (const text of inside) axis.picks.add(`.${text}`);
}
