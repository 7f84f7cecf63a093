// Elements, made without markup: whatever comes from the data ends up in text nodes or attributes.

const gradmill = {};  // what the scripts of this page share

(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";

  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") node.addEventListener(name, value);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.flat(Infinity).filter(child => child != null));
    return node;
  };

  gradmill.element = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);

  gradmill.shape = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  gradmill.note = text => gradmill.element("p", {class: "note"}, text);

  gradmill.swatch = colour => {
    const box = gradmill.element("span", {class: "swatch", "aria-hidden": "true"});
    box.style.background = colour;
    return box;
  };

  // Names beside values, as pairs of strings; a value that is not known is left out.
  gradmill.pairs = (entries, attributes = {}) => gradmill.element("dl", attributes,
    entries.filter(([, value]) => value != null).map(([name, value]) => gradmill.element("div", {},
      gradmill.element("dt", {}, name), gradmill.element("dd", {}, value))));
})();
