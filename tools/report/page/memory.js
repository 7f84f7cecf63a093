// Memory in use from node to node, and what it is used for where it is most.

(() => {
  "use strict";

  const {element, format} = gradmill;

  const drawCurve = (section, model, tip, {curve, peak_node: peakNode}) => {
    const most = Math.max(...curve, 1);
    const [unit, size] = most >= 1e9 ? ["GB", 1e9] : most >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
    const last = curve.length;
    const nodeTicks = gradmill.linearTicks(0, last, Math.min(8, last)).filter(Number.isInteger);
    const sizeTicks = gradmill.linearTicks(0, most * 1.1 / size, 5);
    const plot = gradmill.makePlot({
      id: "memory-curve",
      label: `Memory in use at each of ${last} nodes, at most ${format.bytes(most)}. ` +
        "Left and right arrows go from node to node.",
      x: {min: 0, max: last, ticks: nodeTicks, show: format.ticks(nodeTicks),
        title: "node, in plan order"},
      y: {min: 0, max: most * 1.1 / size, ticks: sizeTicks, show: format.ticks(sizeTicks),
        title: `${unit} in use`},
    });
    const steps = curve.flatMap((bytes, k) => [[k, bytes / size], [k + 1, bytes / size]]);
    plot.line([[0, 0], ...steps, [last, 0]], {class: "area"});
    plot.line(steps, {class: "curve"});
    if (format.known(curve[peakNode])) {
      const x = plot.x(peakNode + 0.5), y = plot.y(curve[peakNode] / size);
      plot.draw("circle", {class: "peak", cx: x, cy: y, r: 4});
      const late = x > (plot.left + plot.right) / 2;
      plot.text(x + (late ? -9 : 9), y - 7, `peak, ${format.bytes(curve[peakNode])}`,
        {class: "peak-label", "text-anchor": late ? "end" : "start"});
    }
    gradmill.makeReadable(plot, curve.map((bytes, k) => ({
      x: plot.x(k + 0.5), y: plot.y(bytes / size), heading: model.nameOf(k), node: k,
      entries: [["in use", format.bytes(bytes)], ["node", String(k)],
        ["op", model.node(k)?.op], ["phase", model.node(k)?.phase]],
    })), {tip, columns: true, pick: point => model.select(point.node)});
    return plot.svg;
  };

  gradmill.showMemory = (section, model, tip) => {
    const memory = model.data.memory ?? {};
    const figures = [
      ["planned", memory.planned_bytes], ["without reuse", memory.unshared_bytes],
      ["parameters and state", memory.variable_bytes], ["in use at the peak", memory.peak_bytes],
    ].map(([name, bytes]) => [name, format.known(bytes) ? format.bytes(bytes) : null]);
    section.append(gradmill.pairs(figures, {class: "figures small"}));

    const figure = memory.curve?.length > 0 ? drawCurve(section, model, tip, memory)
      : gradmill.note("No curve: the plan has no nodes.");
    const buffers = memory.peak_buffers ?? [];
    const list = buffers.length === 0 ? gradmill.note("No buffer is alive at the peak.")
      : gradmill.makeTable({label: "Buffers alive at the peak", rows: buffers, className: "tall",
        columns: [
          {name: "buffer", text: true, value: row => row.name},
          {name: "size", value: row => row.bytes, show: format.bytes},
          {name: "made by", text: true,
            value: row => model.node(row.node) ? model.nameOf(row.node) : null,
            show: name => name ?? format.DASH},
        ]}).element;
    section.append(gradmill.sideBySide(figure, element("h3", {}, "Alive at the peak"), list));
  };
})();
