// The run under the pointer: its line and its values.

// One run's line, thick, above all others.
function drawHighlight(picture) {
  const { overlay, layout, highlighted } = picture;
  overlay.setAttribute("width", layout.width);
  overlay.setAttribute("height", layout.height);
  if (highlighted < 0) {
    overlay.replaceChildren();
    return;
  }
  const points = picture.axes.map((axis, place) => [layout.x(place), layout.y(axis, highlighted)]);
  const path = points
    .map(([x, y], place) => `${place === 0 ? "M" : "L"}${x.toFixed(2)},${y.toFixed(2)}`)
    .join("");
  const line = (name) => drawn("path", { class: name, d: path, "data-run": highlighted });
  const dots = points.map(([x, y]) =>
    drawn("circle", { class: "dot", cx: x.toFixed(2), cy: y.toFixed(2), r: 4 }),
  );
  const color = colorOf(picture, highlighted);
  const thick = line("thick");
  thick.style.stroke = color;
  for (const dot of dots) dot.style.fill = color;
  overlay.replaceChildren(line("around"), thick, ...dots);
}

// The selected run whose line is nearest to a point of the plot, if one is near.
function runAt(picture, x, y) {
  const { layout, axes } = picture;
  const place = Math.min(axes.length - 2, Math.max(0, Math.floor((x - layout.x(0)) / layout.step)));
  const hasNext = axes.length > 1;
  let [nearest, least] = [-1, 7];
  for (let run = 0; run < picture.count; run += 1) {
    if (!picture.mask[run]) continue;
    const from = layout.y(axes[hasNext ? place : 0], run);
    const to = hasNext ? layout.y(axes[place + 1], run) : from;
    const along = (x - layout.x(hasNext ? place : 0)) / layout.step;
    if (along < -0.1 || along > 1.1) continue;
    const slope = (to - from) / layout.step;
    const distance = Math.abs(from + (to - from) * along - y) / Math.hypot(1, slope);
    if (distance < least) [nearest, least] = [run, distance];
  }
  return nearest;
}

// The values of a run in a box beside the pointer, which stays within the window.
function showValues(picture, run, event) {
  const { box } = picture;
  box.hidden = run < 0;
  if (run < 0) return;
  if (box.run !== run) fillBox(picture, run);
  const { width, height } = box.getBoundingClientRect();
  const beside = (at, size, whole) => (at + 16 + size < whole - 8 ? at + 16 : Math.max(8, at - 16 - size));
  box.style.left = `${Math.min(beside(event.clientX, width, innerWidth), Math.max(8, innerWidth - 8 - width))}px`;
  box.style.top = `${Math.min(beside(event.clientY, height, innerHeight), Math.max(8, innerHeight - 8 - height))}px`;
}

function fillBox(picture, run) {
  const { box, runs } = picture;
  box.run = run;
  const room = Math.max(1, Math.floor((innerHeight - 110) / 19));
  const columns = Math.min(
    Math.max(1, Math.floor((innerWidth - 32) / 250)),
    Math.ceil(picture.axes.length / room),
  );
  const shown = picture.axes.slice(0, room * columns);
  const rows = shown.map((axis) =>
    element(
      "div",
      { class: "row" },
      element("span", { class: "words", text: axis.label }),
      element("span", { class: "words value", text: valueText(axis, run) }),
    ),
  );
  const below = [runs.experiment[run], runs.group[run], runs.status[run], runs.uid[run]].filter(
    (text) => text,
  );
  const left = picture.axes.length - shown.length;
  const grid = element("div", { class: "grid" }, ...rows);
  grid.style.gridTemplateRows = `repeat(${Math.ceil(shown.length / columns)}, auto)`;
  box.replaceChildren(
    element("div", { class: "words title", text: runs.name[run] }),
    element("div", { class: "words under", text: below.join(" · ") }),
    grid,
    ...(left > 0 ? [element("div", { class: "under", text: `and ${left} more in the table` })] : []),
  );
}

function watchLines(picture) {
  const { stage, layout } = picture;
  const runUnder = (event) => {
    const corner = stage.getBoundingClientRect();
    const [x, y] = [event.clientX - corner.left, event.clientY - corner.top];
    const isInside = y >= layout.top - layout.margin && y <= layout.height - layout.foot;
    return isInside && !picture.isDragging ? runAt(picture, x, y) : -1;
  };
  stage.addEventListener("pointermove", (event) => {
    const run = event.target.closest("input, select") ? -1 : runUnder(event);
    stage.classList.toggle("over", run >= 0);
    showValues(picture, run, event);
    picture.highlight(run);
  });
  stage.addEventListener("pointerleave", (event) => {
    showValues(picture, -1, event);
    picture.highlight(-1);
  });
  stage.addEventListener("click", (event) => {
    if (!event.target.closest("button, input, select, label, .track")) picture.pin(runUnder(event));
  });
}
