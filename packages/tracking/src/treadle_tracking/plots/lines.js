// The lines of the runs, on two canvases: those of all runs behind, and those of the selected ones.

const PORTION = 6000; // pieces of lines that are drawn at once, so that a page of many runs still answers

function penOn(canvas, layout) {
  // A canvas has a largest width.
  const ratio = Math.min(devicePixelRatio, 16000 / layout.width);
  canvas.width = Math.round(layout.width * ratio);
  canvas.height = Math.round(layout.height * ratio);
  canvas.style.width = `${layout.width}px`;
  canvas.style.height = `${layout.height}px`;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.lineJoin = "round";
  return pen;
}

function drawLine(picture, pen, run) {
  const { axes, layout } = picture;
  pen.beginPath();
  // The line of a single axis is a dash.
  if (axes.length === 1) pen.moveTo(layout.x(0) - 8, layout.y(axes[0], run));
  axes.forEach((axis, place) =>
    pen.lineTo(layout.x(place) + (axes.length === 1 ? 8 : 0), layout.y(axis, run)),
  );
  pen.stroke();
}

// Draw runs a portion a frame. What another call on this canvas began is given up.
function drawRuns(picture, canvas, runs, draw) {
  cancelAnimationFrame(canvas.pending);
  const many = Math.max(1, Math.floor(PORTION / picture.axes.length));
  const from = (first) => {
    for (const run of runs.slice(first, first + many)) draw(run);
    const next = first + many;
    if (next < runs.length) canvas.pending = requestAnimationFrame(() => from(next));
  };
  from(0);
}

const numbered = (count) => Array.from({ length: count }, (_, run) => run);

function drawBehind(picture) {
  picture.isBehindDrawn = true;
  const pen = penOn(picture.behind, picture.layout);
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--behind");
  drawRuns(picture, picture.behind, numbered(picture.count), (run) => drawLine(picture, pen, run));
}

function drawLines(picture) {
  const pen = penOn(picture.canvas, picture.layout);
  picture.behind.hidden = picture.selected === picture.count;
  if (!picture.behind.hidden && !picture.isBehindDrawn) drawBehind(picture);
  pen.lineWidth = 1.4;
  pen.globalAlpha = Math.min(0.9, Math.max(0.25, 10 / Math.sqrt(picture.selected || 1)));
  const runs = numbered(picture.count).filter((run) => picture.mask[run]);
  drawRuns(picture, picture.canvas, runs, (run) => {
    pen.strokeStyle = colorOf(picture, run);
    drawLine(picture, pen, run);
  });
}
