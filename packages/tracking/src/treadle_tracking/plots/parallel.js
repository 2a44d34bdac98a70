// The page as a whole.

function makePicture(data) {
  const count = data.runs.name.length;
  const isTwice = (axis) => data.axes.some((other) => other !== axis && other.name === axis.name);
  const axes = data.axes.map((axis) => {
    const label = isTwice(axis)
      ? `${axis.name} (${axis.kind === "params" ? "parameter" : "metric"})`
      : axis.name;
    if (axis.type === "category")
      return { ...axis, label, picks: new Set(), least: null, most: null, scale: null };
    const sorted = sortedNumbers(axis.values);
    const [least, most] = axis.bounds.map((bound) => (typeof bound === "string" ? typed(bound) : bound));
    return {
      ...axis,
      label,
      picks: new Set(),
      least,
      most,
      sorted,
      firstScale: axis.scale,
      scaleKind: axis.scale,
      scale: makeScale(axis.scale, sorted),
    };
  });
  return {
    title: data.title,
    runs: data.runs,
    count,
    axes,
    color: axes.find((axis) => axis.key === data.color),
    mask: new Uint8Array(count),
    selected: count,
    highlighted: -1,
    pinned: -1,
    rows: PAGE_OF_ROWS,
    sort: { key: null, down: false },
    isDragging: false,
  };
}

// Where things are in the stage, in pixels.
function layOut(picture) {
  const { axes, frame } = picture;
  const [left, above, head, foot] = [14, 12, 116, 34];
  const used = new Set(
    axes.flatMap((axis) => Array.from({ length: picture.count }, (_, run) => placeOf(axis, run))),
  );
  const below = PLACES.slice(1).filter((name) => used.has(name));
  const room = frame.clientWidth - 4;
  const even = Math.max(84, Math.floor(room / axes.length));
  // Right of the last axis are its own labels alone: the lines have what they leave.
  const last = axes.length === 1 ? even : Math.min(even, axes.at(-1).type === "category" ? 260 : 150);
  const step = axes.length === 1 ? even : Math.max(even, Math.floor((room - last) / (axes.length - 1)));
  const height = Math.max(440, Math.min(760, Math.round(innerHeight * 0.68)));
  const top = head + above + (used.has("inf") ? 22 : 0);
  const length = height - foot - (below.length > 0 ? 10 + 22 * below.length : 0) - 8 - top;
  const placeY = (name) => (name === "inf" ? top - 24 : top + length + 24 + 22 * below.indexOf(name));
  Object.assign(picture.layout, {
    room: frame.clientWidth,
    left,
    step,
    height,
    top,
    length,
    foot,
    margin: above + 22,
    placeY,
  });
  picture.layout.width = Math.max(step * (axes.length - 1) + last + 4, 1);
  picture.layout.roomOf = (place) => (place === axes.length - 1 ? last : step);
  picture.layout.x = (place) => left + place * step;
  picture.layout.y = (axis, run) => {
    const place = placeOf(axis, run);
    return place === null ? top + (1 - axis.positions[run]) * length : placeY(place);
  };
}

function findPositions(picture, axis) {
  axis.positions = Float64Array.from({ length: picture.count }, (_, run) => {
    if (placeOf(axis, run) !== null) return NaN;
    if (axis.type === "category") return categoryPosition(axis.values[run], axis.categories.length);
    return axis.scale.position(axis.values[run]);
  });
}

function buildPage(picture) {
  picture.layout = {};
  picture.behind = element("canvas", { "aria-hidden": "true" });
  picture.canvas = element("canvas", {
    role: "img",
    "aria-label": `The runs as lines over ${picture.axes.length} axes. The table below has the selected ones.`,
  });
  picture.overlay = drawn("svg", { class: "overlay", "aria-hidden": "true" });
  picture.stage = element(
    "div",
    { class: "stage" },
    picture.behind,
    picture.canvas,
    picture.overlay,
    ...picture.axes.map((axis) => buildAxis(picture, axis)),
  );
  picture.frame = element(
    "div",
    { class: "frame", tabindex: "0", role: "group", "aria-label": "axes" },
    picture.stage,
  );
  picture.box = element("div", { class: "box", hidden: "", "aria-hidden": "true" });
  picture.countShown = element("output", { class: "count", "aria-live": "polite" });
  picture.clearButton = element("button", {
    type: "button",
    text: "Clear all bounds",
    on: { click: () => picture.clearAll() },
  });
  picture.colorSelect = element("select", {
    id: "color",
    on: { change: (event) => picture.colorBy(picture.axes.find((axis) => axis.key === event.target.value)) },
  });
  picture.legend = element("div", { class: "legend", "aria-label": "colors", role: "group" });
  picture.table = element("table", {}, element("caption", { class: "unseen", text: "selected runs" }));
  picture.more = element("button", {
    type: "button",
    class: "more",
    on: { click: () => picture.showMore() },
  });
  document.body.append(
    element(
      "header",
      {},
      element("h1", { class: "words", text: picture.title, title: picture.title }),
      element("div", { class: "state" }, picture.countShown, picture.clearButton),
      element(
        "div",
        { class: "colors" },
        element("label", { for: "color", text: "color by" }),
        picture.colorSelect,
        picture.legend,
      ),
    ),
    element("p", {
      class: "hint",
      text: "Drag along an axis or type its bounds (≤, ≥) to select runs; double-click an axis to clear it. Drag a name to move its axis, click it to color by it.",
    }),
    picture.frame,
    element("div", { class: "listed" }, picture.table, picture.more),
    picture.box,
  );
}

function giveBehavior(picture) {
  const stale = new Set();
  let saving = 0;
  const save = () => {
    clearTimeout(saving);
    // Browsers allow only so many changes of the address in a second.
    saving = setTimeout(() => toAddress(picture), 150);
  };
  const paint = () => {
    if (stale.has("places")) {
      layOut(picture);
      picture.stage.style.width = `${picture.layout.width}px`;
      picture.stage.style.height = `${picture.layout.height}px`;
      picture.axes.forEach((axis, place) => placeAxis(picture, axis, place));
      picture.colorSelect.replaceChildren(
        ...picture.axes.map((axis) => element("option", { value: axis.key, text: axis.label })),
      );
    }
    if (stale.has("places") || stale.has("color") || stale.has("paper")) {
      picture.colorSelect.value = picture.color.key;
      for (const axis of picture.axes)
        axis.nameButton.setAttribute("aria-pressed", String(axis === picture.color));
      drawLegend(picture);
    }
    if (stale.has("places") || stale.has("selection")) {
      select(picture);
      const all = `${picture.count.toLocaleString("en")} ${picture.count === 1 ? "run" : "runs"}`;
      const isAny = picture.axes.some(isActive);
      picture.countShown.textContent = isAny
        ? `${picture.selected.toLocaleString("en")} of ${all} selected`
        : `${all}, all selected`;
      picture.clearButton.disabled = !isAny;
      for (const axis of picture.axes) {
        drawSelection(picture, axis);
        showBounds(axis);
      }
      if (picture.highlighted >= 0 && !picture.mask[picture.highlighted]) {
        picture.highlighted = -1;
        // The pointer may have been on it since, and need not move again.
        picture.box.hidden = true;
      }
    }
    if (stale.has("places") || stale.has("paper")) picture.isBehindDrawn = false;
    if (["places", "selection", "color", "paper"].some((what) => stale.has(what))) drawLines(picture);
    // The table follows at the end of a drag: its rows take longer than the lines.
    if (!picture.isDragging && ["places", "selection", "table"].some((what) => stale.has(what)))
      drawTable(picture);
    drawHighlight(picture);
    stale.clear();
  };
  const repaint = (what) => {
    if (stale.size === 0) requestAnimationFrame(paint);
    stale.add(what);
  };
  Object.assign(picture, {
    repaint,
    select() {
      picture.rows = PAGE_OF_ROWS;
      repaint("selection");
      save();
    },
    showBounds: () => repaint("selection"),
    clearAll() {
      picture.axes.forEach(clear);
      picture.select();
    },
    rescale(axis, kind) {
      axis.scaleKind = kind;
      axis.scale = makeScale(kind, axis.sorted);
      findPositions(picture, axis);
      repaint("places");
      save();
    },
    colorBy(axis) {
      picture.color = axis;
      repaint("color");
      save();
    },
    move(axis, place) {
      const [from, to] = [picture.axes.indexOf(axis), Math.min(picture.axes.length - 1, Math.max(0, place))];
      if (from === to) return;
      picture.axes.splice(from, 1);
      picture.axes.splice(to, 0, axis);
      picture.sortParts();
      repaint("places");
      save();
    },
    // The parts are in the order of the axes, for the keyboard and for whoever listens.
    sortParts() {
      const focused = document.activeElement;
      for (const axis of picture.axes) picture.stage.append(axis.part);
      if (picture.stage.contains(focused)) focused.focus();
    },
    sortBy(key) {
      picture.sort = { key, down: picture.sort.key === key && !picture.sort.down };
      repaint("table");
      save();
    },
    showMore() {
      picture.rows += PAGE_OF_ROWS;
      repaint("table");
    },
    highlight(run) {
      const shown = run >= 0 ? run : picture.pinned;
      if (shown === picture.highlighted) return;
      picture.highlighted = shown;
      repaint("highlight");
    },
    pin(run) {
      picture.pinned = run === picture.pinned ? -1 : run;
      picture.highlighted = picture.pinned;
      for (const row of picture.table.querySelectorAll("tr[data-run]")) {
        const isPinned = Number(row.dataset.run) === picture.pinned;
        row.classList.toggle("pinned", isPinned);
        if (isPinned) row.scrollIntoView({ block: "nearest" });
      }
      repaint("highlight");
    },
    readAddress() {
      fromAddress(picture);
      for (const axis of picture.axes) {
        if (axis.type === "number") axis.scale = makeScale(axis.scaleKind, axis.sorted);
        findPositions(picture, axis);
      }
      picture.sortParts();
      repaint("places");
    },
  });
}

function start() {
  const picture = makePicture(JSON.parse(document.getElementById("data").textContent));
  picture.first = { color: picture.color.key, order: picture.axes.map((axis) => axis.key), text: "" };
  picture.first.text = written(picture);
  buildPage(picture);
  giveBehavior(picture);
  watchLines(picture);
  watchTable(picture);
  picture.readAddress();
  addEventListener("hashchange", () => picture.readAddress());
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") picture.pin(-1);
  });
  new ResizeObserver(() => {
    if (picture.frame.clientWidth !== picture.layout.room) picture.repaint("places");
  }).observe(picture.frame);
  addEventListener("resize", () => picture.repaint("places"));
  darkness.addEventListener("change", () => picture.repaint("paper"));
}

start();
