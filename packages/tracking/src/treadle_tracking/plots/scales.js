// Where a value lies on its axis, from 0 at the bottom to 1 at the top, and what lies there.

const SCALES = ["linear", "log", "quantile"];

function sortedNumbers(values) {
  return values.filter((value) => typeof value === "number").sort((one, other) => one - other);
}

function evenScale(low, high, to, from) {
  let [first, last] = [to(low), to(high)];
  if (first === last) {
    const margin = Math.abs(first) / 2 || 1;
    [first, last] = [first - margin, last + margin];
  }
  // Halves, since the difference of the largest doubles is infinite.
  const half = last / 2 - first / 2;
  return {
    position: (value) => (to(value) / 2 - first / 2) / half,
    value: (position) => from(first * (1 - position) + last * position),
  };
}

function quantileScale(sorted) {
  const knots = [];
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (sorted[end] === sorted[start]) end += 1;
    // Ties share the middle of their ranks.
    const rank = (start + end - 1) / 2;
    knots.push([sorted[start], sorted.length > 1 ? rank / (sorted.length - 1) : 0.5]);
    start = end;
  }
  const [low, high] = [sorted[0], sorted.at(-1)];
  const margin = (value) => Math.abs(value) / 100 || (high - low) / 100 || 1;
  const all = [
    [low - margin(low), Math.min(0, knots[0][1])],
    ...knots,
    [high + margin(high), Math.max(1, knots.at(-1)[1])],
  ];
  const along = (given, from, to) => {
    if (given <= all[0][from]) return all[0][to];
    const above = all.findIndex((knot) => knot[from] >= given);
    if (above < 0) return all.at(-1)[to];
    const [before, after] = [all[above - 1], all[above]];
    if (after[from] === given) return after[to];
    const share = (given - before[from]) / (after[from] - before[from]);
    return before[to] * (1 - share) + after[to] * share;
  };
  return { position: (value) => along(value, 0, 1), value: (position) => along(position, 1, 0), knots };
}

function makeScale(kind, sorted) {
  if (sorted.length === 0) return null;
  const [low, high] = [sorted[0], sorted.at(-1)];
  const distinct = sorted.filter((value, index) => index === 0 || value !== sorted[index - 1]);
  const made =
    kind === "quantile"
      ? quantileScale(sorted)
      : kind === "log"
        ? evenScale(low, high, Math.log10, (power) => 10 ** power)
        : evenScale(
            low,
            high,
            (value) => value,
            (value) => value,
          );
  return { kind, low, high, distinct, ...made };
}

// A bound dragged to a position: the shortest number within half a pixel of it. At an end of the axis it takes in what lies there.
function boundAt(scale, position, pixel, isLeast) {
  if (isLeast && position <= 0) return shortest(scale.value(-pixel), scale.low);
  if (!isLeast && position >= 1) return shortest(scale.high, scale.value(1 + pixel));
  return shortest(scale.value(position - pixel / 2), scale.value(position + pixel / 2));
}

// Multiples of 1, 2 or 5 times a power of ten from low to high.
function roundNumbers(low, high, most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => (high - low) / size <= most);
  if (!(step > 0) || !Number.isFinite(step)) return [];
  const found = [];
  for (let number = Math.ceil(low / step); number * step <= high && found.length <= most; number += 1) {
    found.push(Number((number * step).toPrecision(15)));
  }
  return found;
}

function powersOfTen(low, high, most) {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const stride = Math.max(1, Math.ceil((last - first + 1) / most));
  const found = [];
  for (let power = first; power <= last; power += 1) {
    if (power % stride === 0) found.push(Number(`1e${power}`));
  }
  return found;
}

// Values worth a label, the most important first.
function tickValues(scale, most) {
  const { low, high, distinct } = scale;
  const ends = [low, high];
  if (distinct.length <= 8) return [...ends, ...distinct];
  if (scale.kind === "quantile") {
    const shares = [0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875];
    const nearest = (share) =>
      scale.knots.reduce((best, knot) =>
        Math.abs(knot[1] - share) < Math.abs(best[1] - share) ? knot : best,
      );
    return [...ends, ...shares.map((share) => nearest(share)[0])];
  }
  if (scale.kind === "log") {
    const powers = powersOfTen(low, high, most);
    if (powers.length > 2) return [...ends, ...powers];
    const between = [5, 2].flatMap((times) =>
      powersOfTen(low / times, high / times, most).map((power) => Number((power * times).toPrecision(15))),
    );
    if (powers.length + between.length > 1) return [...ends, ...powers, ...between];
  }
  return [...ends, ...roundNumbers(low, high, most)];
}

// The labels of an axis of numbers, at least so many pixels apart, each with the exact number.
function numberTicks(scale, height, gap) {
  const kept = [];
  for (const value of tickValues(scale, Math.floor(height / (2 * gap)))) {
    const position = scale.position(value);
    if (kept.every((other) => Math.abs(other.position - position) * height >= gap))
      kept.push({ value, position });
  }
  for (let digits = 3; digits <= 17; digits += 1) {
    for (const tick of kept) tick.text = brief(tick.value, digits);
    if (new Set(kept.map((tick) => tick.text)).size === kept.length) break;
  }
  for (const tick of kept) tick.whole = exact(tick.value);
  return kept;
}

function categoryPosition(index, count) {
  return (index + 0.5) / count;
}

// The labels of an axis of categories: of all of them, or of every so many where there is no room.
function categoryTicks(texts, height, gap) {
  const stride = Math.max(1, Math.ceil((gap * texts.length) / height));
  const room = (height * stride) / texts.length;
  return texts
    .map((text, index) => ({
      text,
      whole: text,
      index,
      position: categoryPosition(index, texts.length),
      room,
    }))
    .filter(({ index }) => index % stride === 0);
}
