// What the parts of the page have in common: the nodes, their colours, and which of them the reader
// has selected or is searching for.

(() => {
  "use strict";

  // Neighbours differ in lightness too, and black text can be read on each of them.
  const COLOURS = ["#3481d8", "#d8762b", "#2b9951", "#d15f88", "#8f69cb", "#0ea8a8", "#938202",
    "#df6963", "#6775d8", "#7da129", "#b05ba9", "#05a2cc", "#5f7591", "#936f5c", "#5e7c63",
    "#8c6979"];

  // An op has the same colour in most reports: its name picks it, unless another name had it first.
  const colourOps = names => {
    const colours = new Map();
    const taken = new Set();
    for (const name of [...new Set(names)].sort()) {
      let slot = 0;
      for (const letter of name) slot = (slot * 5 + letter.codePointAt(0)) % COLOURS.length;
      if (taken.size === COLOURS.length) taken.clear();
      while (taken.has(slot)) slot = (slot + 1) % COLOURS.length;
      taken.add(slot);
      colours.set(name, COLOURS[slot]);
    }
    return colours;
  };

  gradmill.opName = (model, op) => [gradmill.swatch(model.colourOf(op)), String(op)];

  // A node's name, which selects it.
  gradmill.nodeLink = (model, index, attributes = {}) => gradmill.element("button",
    {type: "button", class: "link", click: () => model.select(index), ...attributes},
    String(model.nameOf(index)));

  gradmill.makeModel = data => {
    const nodes = data.nodes ?? [];
    const byIndex = new Map(nodes.map(node => [node.index, node]));
    const colours = colourOps([...nodes, ...(data.ops ?? [])].map(entry => String(entry.op)));
    const listeners = [];
    let selected = null;
    let query = "";
    let matching = null;  // the indices that match, or null while nothing is searched for

    const changed = () => listeners.forEach(listener => listener());

    return {
      data,
      nodes,
      node: index => byIndex.get(index),
      nameOf: index => byIndex.get(index)?.name ?? `node ${index}`,
      colourOf: op => colours.get(String(op)) ?? COLOURS[0],
      onChange: listener => listeners.push(listener),

      get selected() { return selected; },
      select(index) {
        if (index === selected) return;
        selected = index;
        changed();
      },

      get query() { return query; },
      get matching() { return matching; },
      matches: index => matching === null || matching.has(index),
      search(text) {
        query = text.trim().toLowerCase();
        const found = node => `${node.name}`.toLowerCase().includes(query) ||
          `${node.op}`.toLowerCase().includes(query);
        matching = query === "" ? null : new Set(nodes.filter(found).map(node => node.index));
        changed();
      },
    };
  };
})();
