"use strict";

// Numbers as texts, and texts as numbers.

const withoutPlus = (text) => text.replace("e+", "e");

// To read, with so many significant digits at most: 0.0001, 1e-5, 250000.
function readable(value, digits = 12) {
  const near = Number(value.toPrecision(digits));
  const rounded = Number.isFinite(near) ? near : value;
  const size = Math.abs(rounded);
  if (size === 0 || (size >= 1e-4 && size < 1e12)) return String(rounded);
  return withoutPlus(rounded.toExponential());
}

// To read at an axis, where there is little room: a whole number of up to seven digits is never rounded.
function brief(value, digits) {
  const isShort = Number.isInteger(value) && Math.abs(value) < 1e7;
  const plain = isShort ? String(value) : readable(value, digits);
  const power = withoutPlus(Number(plain).toExponential());
  return plain.length > 7 && power.length < plain.length ? power : plain;
}

// The fewest digits that give exactly this number back.
function exact(value) {
  const size = Math.abs(value);
  if (size === Infinity) return value > 0 ? "inf" : "-inf";
  return size === 0 || (size >= 1e-4 && size < 1e15) ? String(value) : withoutPlus(value.toExponential());
}

// The shortest number from low to high.
function shortest(low, high) {
  if (!(low < high)) return low;
  if (low <= 0 && high >= 0) return 0;
  const middle = low + (high - low) / 2;
  if (!Number.isFinite(middle)) return Number.isFinite(low) ? low : high;
  for (let digits = 1; digits < 17; digits += 1) {
    const rounded = Number(middle.toPrecision(digits));
    if (rounded >= low && rounded <= high) return rounded;
  }
  return middle;
}

// null for an empty text, undefined for one that is no number.
function typed(text) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  const infinite = /^([+-]?)inf(inity)?$/i.exec(trimmed);
  return infinite ? (infinite[1] === "-" ? -Infinity : Infinity) : undefined;
}
