// The tables of ops and of nodes, and what is known about the node that is selected.

(() => {
  "use strict";

  const {element, format} = gradmill;

  const rates = rows => {
    const of = (name, digits) => format.column(rows.map(row => row[name]), digits);
    return [
      {name: "GFLOP/s", value: row => row.gflops, show: of("gflops", 4),
        hint: "floating-point operations by its own time, for one thread"},
      {name: "GB/s", value: row => row.gbs, show: of("gbs", 3),
        hint: "bytes read and written by its own time, for one thread"},
      {name: "of peak", value: row => row.peak_fraction, show: format.percent,
        hint: "of what the machine could do with as many operations a byte"},
    ];
  };

  const times = rows => [
    {name: "self ms", value: row => row.self_ms, hint: "time of all its tiles in a run, median",
      show: format.column(rows.map(row => row.self_ms), 4)},
    {name: "share", value: row => row.share, share: true, show: format.percent,
      hint: "of the busy time of a run"},
  ];

  gradmill.showOps = (section, model) => {
    const ops = model.data.ops ?? [];
    if (ops.length === 0) {
      section.append(gradmill.note("No op was measured."));
      return;
    }
    section.append(gradmill.makeTable({label: "Ops", rows: ops, sortBy: "self ms", columns: [
      {name: "op", text: true, value: row => row.op,
        show: op => gradmill.opName(model, op)},
      {name: "nodes", value: row => row.nodes, show: format.column([], 1)},
      {name: "calls", value: row => row.calls, show: format.column([], 1)},
      ...times(ops), ...rates(ops),
    ]}).element);
  };

  gradmill.showNodes = (section, model) => {
    const {nodes} = model;
    if (nodes.length === 0) {
      section.append(gradmill.note("The plan has no nodes."));
      return;
    }
    const name = (value, row) => [
      gradmill.nodeLink(model, row.index, {title: row.shapes}),
      row.critical ? element("span", {class: "critical-mark", title: "on the critical path"},
        "critical") : null,
    ];
    const megabytes = format.column(nodes.map(row => row.live_bytes / 1e6), 3);
    const {lines, element: table} = gradmill.makeTable({
      label: "Nodes", rows: nodes, sortBy: "self ms", className: "tall", columns: [
        {name: "#", value: row => row.index},
        {name: "node", text: true, value: row => row.name, show: name},
        {name: "op", text: true, value: row => row.op,
          show: op => gradmill.opName(model, op)},
        {name: "phase", text: true, value: row => row.phase},
        {name: "tiles", value: row => row.tiles},
        ...times(nodes),
        {name: "longest ms", value: row => row.longest_tile_ms, hint: "its longest tile",
          show: format.column(nodes.map(row => row.longest_tile_ms), 4)},
        ...rates(nodes),
        {name: "live MB", hint: "memory in use while it runs", show: megabytes,
          value: row => format.known(row.live_bytes) ? row.live_bytes / 1e6 : null},
      ]});
    const none = gradmill.note("No node matches the search.");
    none.hidden = true;
    section.append(table, none);

    const byIndex = new Map(lines.map(({row, line}) => [row.index, line]));
    let current = null;
    model.onChange(() => {
      for (const {row, line} of lines) line.hidden = !model.matches(row.index);
      none.hidden = model.matching === null || model.matching.size > 0;
      const selected = byIndex.get(model.selected) ?? null;
      if (selected === current) return;
      current?.removeAttribute("aria-current");
      current = selected;
      if (!current) return;
      current.setAttribute("aria-current", "true");
      // The table scrolls to the row; the page stays where the reader is.
      table.scrollTop = current.offsetTop - table.clientHeight / 2;
    });
    for (const {row, line} of lines) {
      line.addEventListener("click", () => model.select(row.index));
    }
  };

  gradmill.showSelected = (section, model) => {
    const box = element("aside", {id: "selected", "aria-label": "Selected node",
      "aria-live": "polite", hidden: true});
    section.append(box);
    model.onChange(() => {
      const node = model.node(model.selected);
      box.hidden = !node;
      if (!node) return;
      const before = (node.predecessors ?? []).map(index => gradmill.nodeLink(model, index));
      const given = value => value == null ? null : String(value);
      box.replaceChildren(
        element("h3", {}, gradmill.swatch(model.colourOf(node.op)), String(node.name),
          element("button", {type: "button", id: "clear-selection",
            click: () => model.select(null)}, "clear")),
        gradmill.pairs([
          ["op", `${node.op}, ${node.phase}` +
            (node.kernel_phases > 1
              ? `, part ${node.kernel_phase + 1} of ${node.kernel_phases}` : "")],
          ["shape", given(node.shapes)],
          ["kernel", given(node.kernel)],
          ["tiles", `${node.tiles}, the longest ${format.milliseconds(node.longest_tile_ms)}`],
          ["self time", `${format.milliseconds(node.self_ms)}, ` +
            `${format.percent(node.share)} of the busy time`],
          ["work", `${format.flops(node.flops)}, ${format.bytes(node.bytes)}`],
          ["runs after", before.length === 0 ? "nothing"
            : element("span", {}, before.map((link, k) => [k === 0 ? null : ", ", link]))],
        ]));
    });
  };
})();
