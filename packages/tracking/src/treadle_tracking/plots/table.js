// The table of the selected runs.

const LEAST_TEXT = 180; // pixels of a text that is cut; the table is scrolled before it has fewer
const PAGE_OF_ROWS = 100; // as many rows as are shown at first, and more each time they are asked for

function tableColumns(picture) {
  const { runs, axes } = picture;
  const differs = (values) => values.some((value) => value !== values[0]);
  const of = (key, label, values) => ({
    key,
    label,
    text: (run) => values[run] ?? "",
    rank: (run) => values[run] ?? null,
  });
  return [
    of("run", "run", runs.name),
    ...(differs(runs.experiment) ? [of("experiment", "experiment", runs.experiment)] : []),
    ...(runs.group.some((group) => group !== null) ? [of("group", "group", runs.group)] : []),
    of("status", "status", runs.status),
    ...axes.map((axis) => ({
      key: axis.key,
      label: axis.label,
      isNumber: axis.type === "number",
      text: (run) => valueText(axis, run, 6),
      whole: (run) =>
        axis.type === "number" && placeOf(axis, run) === null
          ? (axis.shown[run] ?? exact(axis.values[run]))
          : valueText(axis, run),
      rank: (run) => rankOf(axis, run),
    })),
  ];
}

// What a run is sorted by: a number, or null for what has no place in an order.
function rankOf(axis, run) {
  const place = placeOf(axis, run);
  if (place === "inf") return Infinity;
  if (place === "-inf") return -Infinity;
  return place === null ? axis.values[run] : null;
}

const collator = new Intl.Collator(undefined, { numeric: true });

function inOrder(picture, column) {
  const chosen = [];
  for (let run = 0; run < picture.count; run += 1) if (picture.mask[run]) chosen.push(run);
  if (!column) return chosen;
  const sign = picture.sort.down ? -1 : 1;
  const compared = (one, other) => {
    const [a, b] = [column.rank(one), column.rank(other)];
    // What has no value is last, either way.
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "string") return sign * collator.compare(a, b);
    return a === b ? 0 : sign * (a < b ? -1 : 1);
  };
  return chosen.sort((one, other) => compared(one, other) || one - other);
}

function drawTable(picture) {
  const columns = tableColumns(picture);
  const sorted = columns.find((column) => column.key === picture.sort.key);
  const order = inOrder(picture, sorted);
  const shown = order.slice(0, picture.rows);
  const heads = columns.map((column) => {
    const direction = column !== sorted ? "none" : picture.sort.down ? "descending" : "ascending";
    const arrow = { none: "", descending: " ↓", ascending: " ↑" }[direction];
    return element(
      "th",
      { scope: "col", class: column.isNumber ? "number" : null, "aria-sort": direction },
      element(
        "button",
        {
          type: "button",
          title: `sort by ${column.label}`,
          "data-sort": column.key,
          on: { click: () => picture.sortBy(column.key) },
        },
        element("span", { class: "words", text: column.label }),
        arrow,
      ),
    );
  });
  const rows = shown.map((run) =>
    element(
      "tr",
      { "data-run": run, class: run === picture.pinned ? "pinned" : null },
      ...columns.map((column) => cell(picture, column, run)),
    ),
  );
  const focused = document.activeElement?.dataset?.sort;
  picture.table.replaceChildren(
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...rows),
  );
  if (focused !== undefined)
    [...picture.table.querySelectorAll("[data-sort]")]
      .find((button) => button.dataset.sort === focused)
      ?.focus();
  fitTable(picture.table);
  const left = order.length - shown.length;
  picture.more.hidden = left === 0;
  picture.more.textContent = `Show ${Math.min(PAGE_OF_ROWS, left)} more of ${left}`;
}

// Texts are as wide as they are, unless the table has no room for that: then the widest are cut.
function fitTable(table) {
  table.style.setProperty("--most", "none");
  table.classList.add("measured");
  const widths = [...table.tHead.rows[0].cells].map((head) => head.getBoundingClientRect().width);
  table.classList.remove("measured");
  let room = table.parentElement.clientWidth;
  const ascending = widths.sort((one, other) => one - other);
  for (const [place, width] of ascending.entries()) {
    const share = room / (ascending.length - place);
    if (width > share) {
      // Without the margins of a cell, and an arrow in its head.
      table.style.setProperty("--most", `${Math.max(LEAST_TEXT, Math.floor(share) - 32)}px`);
      return;
    }
    room -= width;
  }
}

function cell(picture, column, run) {
  if (column.key !== "run") {
    const whole = column.whole?.(run) ?? column.text(run);
    return element(
      "td",
      { class: column.isNumber ? "number" : null, title: whole },
      element("span", { class: "words", text: column.text(run) }),
    );
  }
  const [name, uid, url] = [picture.runs.name[run], picture.runs.uid[run], picture.runs.url[run]];
  const shown =
    url === null
      ? element("button", {
          type: "button",
          class: "words run",
          text: name,
          title: `${name}\n${uid}`,
          on: { click: () => picture.pin(run) },
        })
      : element("a", {
          class: "words run",
          href: url,
          target: "_blank",
          rel: "noopener noreferrer",
          text: name,
          title: `${name}\n${uid}\n${url}`,
        });
  return element("th", { scope: "row" }, shown);
}

function watchTable(picture) {
  const { table } = picture;
  const runOf = (event) => {
    const row = event.target.closest?.("tr[data-run]");
    return row ? Number(row.dataset.run) : -1;
  };
  table.addEventListener("pointerover", (event) => picture.highlight(runOf(event)));
  table.addEventListener("pointerleave", () => picture.highlight(-1));
  table.addEventListener("focusin", (event) => picture.highlight(runOf(event)));
  table.addEventListener("focusout", () => picture.highlight(-1));
}
