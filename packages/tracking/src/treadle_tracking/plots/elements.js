// Parts of the page. Whatever comes from a run becomes a text or the value of an attribute, never markup.

function element(tag, attributes = {}, ...children) {
  return furnished(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return furnished(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function furnished(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name === "on")
      for (const [event, does] of Object.entries(value)) made.addEventListener(event, does);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// A text that may be broken after its dots, slashes and the like, though not within a number.
function breakable(text) {
  return text
    .split(/(?<=[/_:+-]|\.(?!\d))/)
    .flatMap((part, place) => (place === 0 ? [part] : [element("wbr"), part]));
}

// The value of a run as a text, whole.
function valueText(axis, run, digits = 12) {
  const place = placeOf(axis, run);
  if (axis.type === "category")
    return place === null ? axis.categories[axis.values[run]] : PLACE_NAMES[place];
  return axis.shown[run] ?? (place === null ? readable(axis.values[run], digits) : PLACE_NAMES[place]);
}
