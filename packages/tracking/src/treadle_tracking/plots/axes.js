// The axes: their names, scales, bounds and labels.

const LABEL_GAP = 15; // pixels between two labels at least

function buildAxis(picture, axis) {
  const changed = () => picture.select();
  const field = (end, sign, words) => {
    const input = element("input", {
      type: "text",
      inputmode: "decimal",
      spellcheck: "false",
      autocomplete: "off",
      "aria-label": `${axis.label}: ${words}`,
      title: `${axis.label}: ${words}`,
      on: {
        input: () => {
          const bound = typed(input.value);
          if (bound !== undefined) axis[end] = bound;
          markField(axis, input, bound === undefined);
          if (bound !== undefined) changed();
        },
        change: () => picture.showBounds(),
      },
    });
    axis.fields[end] = input;
    return element(
      "label",
      { class: `bound ${end}` },
      element("span", { "aria-hidden": "true", text: sign }),
      input,
    );
  };
  axis.fields = {};
  axis.nameButton = element(
    "button",
    {
      class: "name",
      type: "button",
      title: `${axis.label}\nClick to color by it. Drag it, or press ← or →, to move the axis.`,
      on: {
        click: () => picture.colorBy(axis),
        keydown: (event) => {
          const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
          if (by) picture.move(axis, picture.axes.indexOf(axis) + by);
        },
      },
    },
    element("span", {}, ...breakable(axis.name)),
  );
  watchName(picture, axis);
  axis.track = element("div", { class: "track" });
  axis.marks = element("div", { class: "marks" });
  axis.brushes = element("div", { class: "brushes" });
  axis.track.append(element("div", { class: "line" }), axis.brushes, axis.marks);
  watchTrack(picture, axis);
  axis.places = element("div", { class: "places" });
  const isNumber = axis.type === "number" && axis.scale !== null;
  axis.scaleSelect = isNumber ? scaleSelect(picture, axis) : null;
  const caption = axis.kind === "metrics" ? "metric" : "";
  axis.part = element(
    "section",
    { class: "axis", "aria-label": axis.label },
    element("div", { class: "caption", text: caption }),
    axis.nameButton,
    axis.scaleSelect ??
      element("div", { class: "categories", text: axis.type === "category" ? "categories" : "" }),
    ...(isNumber ? [field("most", "≤", "at most")] : []),
    axis.track,
    axis.places,
    ...(isNumber ? [field("least", "≥", "at least")] : []),
  );
  return axis.part;
}

function scaleSelect(picture, axis) {
  const options = SCALES.map((kind) => {
    const isOut = kind === "log" && axis.withoutLog !== null;
    return element("option", {
      value: kind,
      disabled: isOut,
      title: isOut ? axis.withoutLog : null,
      text: isOut ? `log: ${axis.withoutLog}` : kind,
    });
  });
  const title =
    axis.withoutLog === null
      ? `scale of ${axis.label}`
      : `scale of ${axis.label}; no log: ${axis.withoutLog}`;
  return element(
    "select",
    {
      class: "kind",
      "aria-label": `scale of ${axis.label}`,
      title,
      on: { change: (event) => picture.rescale(axis, event.target.value) },
    },
    ...options,
  );
}

function markField(axis, input, isWrong) {
  const isEmpty = axis.least !== null && axis.most !== null && axis.least > axis.most;
  const problem = isWrong
    ? "This is no number, such as 0.001 or 1e-3."
    : isEmpty
      ? "The least is above the most: no run is between."
      : "";
  input.setCustomValidity(problem);
  input.setAttribute("aria-invalid", String(problem !== ""));
  input.title = problem || input.getAttribute("aria-label");
}

// The bounds of an axis in its fields. What is being typed stays as it is.
function showBounds(axis) {
  for (const [end, input] of Object.entries(axis.fields)) {
    if (input !== document.activeElement || !sameBound(input.value, axis[end])) {
      input.value = axis[end] === null ? "" : exact(axis[end]);
    }
    input.classList.toggle("set", axis[end] !== null);
    markField(axis, input, typed(input.value) === undefined);
  }
}

function sameBound(text, bound) {
  const now = typed(text);
  return now === bound || now === undefined;
}

function pickButton(picture, axis, pick, text, hint) {
  const toggle = () => {
    if (!axis.picks.delete(pick)) axis.picks.add(pick);
    picture.select();
  };
  return element(
    "button",
    {
      type: "button",
      class: "pick",
      "data-pick": pick,
      "aria-pressed": "false",
      title: hint,
      on: { click: toggle },
    },
    element("span", {}, element("span", { class: "paper" }, ...breakable(text))),
  );
}

// Everything of an axis whose place depends on the window, the scale, or the other axes.
function placeAxis(picture, axis, place) {
  const { layout } = picture;
  axis.part.style.left = `${layout.x(place) - layout.left}px`;
  axis.part.style.width = `${layout.roomOf(place)}px`;
  axis.part.style.setProperty("--room", `${layout.roomOf(place) - 20}px`);
  axis.track.style.top = `${layout.top}px`;
  axis.track.style.height = `${layout.length}px`;
  const ticks =
    axis.type === "category"
      ? categoryTicks(axis.categories, layout.length, LABEL_GAP)
      : axis.scale === null
        ? []
        : numberTicks(axis.scale, layout.length, LABEL_GAP);
  axis.marks.replaceChildren(
    ...ticks.map((tick) => {
      const label =
        axis.type === "category"
          ? pickButton(picture, axis, `.${tick.text}`, tick.text, tick.text)
          : element("span", { class: "tick", text: tick.text, title: tick.whole });
      const mark = element("div", { class: "mark" }, label);
      mark.style.bottom = `${tick.position * layout.length}px`;
      if (tick.room)
        label.style.setProperty(
          "--lines",
          String(Math.min(3, Math.max(1, Math.floor((tick.room - 3) / 13)))),
        );
      return mark;
    }),
  );
  const used = new Set(Array.from({ length: picture.count }, (_, run) => placeOf(axis, run)));
  axis.places.replaceChildren(
    ...PLACES.filter((name) => used.has(name)).map((name) => {
      const button = pickButton(picture, axis, `-${name}`, PLACE_NAMES[name], PLACE_HINTS[name]);
      const mark = element("div", { class: "mark" }, button);
      mark.style.top = `${layout.placeY(name)}px`;
      return mark;
    }),
  );
  if (axis.scaleSelect) axis.scaleSelect.value = axis.scaleKind;
  axis.nameButton.setAttribute("aria-pressed", String(axis === picture.color));
}

// Drag the name of an axis to another place.
function watchName(picture, axis) {
  let start = null;
  let wasMoved = false;
  axis.nameButton.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = event.clientX;
    wasMoved = false;
    const move = (moved) => {
      if (!wasMoved && Math.abs(moved.clientX - start) < 5) return;
      wasMoved = true;
      const corner = picture.stage.getBoundingClientRect();
      picture.move(axis, Math.floor((moved.clientX - corner.left) / picture.layout.step));
    };
    const stop = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", stop);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
    addEventListener("pointercancel", stop);
  });
  axis.nameButton.addEventListener(
    "click",
    (event) => {
      if (wasMoved) event.stopImmediatePropagation();
      wasMoved = false;
    },
    true,
  );
}
