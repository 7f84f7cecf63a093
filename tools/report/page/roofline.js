// How near each node comes to what the processor can compute and what the memory can deliver.

(() => {
  "use strict";

  const {format} = gradmill;
  const MOST_GAINS = 5;

  // The fastest that a thread could be at `intensity`, as far as it is known.
  const roofOf = ({peak, bandwidth}) => intensity =>
    Math.min(peak ?? Infinity, bandwidth === null ? Infinity : bandwidth * intensity);

  const perThread = ({machine, threads}) => {
    const of = value => format.known(value) && threads > 0 ? value / threads : null;
    return {peak: of(machine?.peak_gflops), bandwidth: of(machine?.bandwidth_gbs)};
  };

  const drawRoof = (plot, across, lowest, {peak, bandwidth}) => {
    if (peak === null && bandwidth === null) return;
    const roof = roofOf({peak, bandwidth});
    const ridge = peak !== null && bandwidth !== null ? [peak / bandwidth] : [];
    const corners = [across.min, ...ridge, across.max].filter(
      value => value >= across.min && value <= across.max);
    plot.line(corners.map(value => [value, roof(value)]), {class: "roof"});
    if (peak !== null) {
      plot.text(plot.right - 4, plot.y(peak) - 6, `${format.number(peak)} GFLOP/s`,
        {"text-anchor": "end"});
    }
    if (bandwidth !== null) {
      // Along the slope, near its foot.
      const from = Math.max(across.min, lowest / bandwidth);
      const x0 = plot.x(from), y0 = plot.y(bandwidth * from);
      const turn = Math.atan2(plot.y(bandwidth * from * 2) - y0, plot.x(from * 2) - x0);
      plot.text(22, -7, `${format.number(bandwidth)} GB/s`,
        {transform: `translate(${x0} ${y0}) rotate(${turn * 180 / Math.PI})`});
    }
  };

  const drawDots = (plot, model, nodes, tip) => {
    const longest = Math.max(...nodes.map(node => node.self_ms ?? 0)) || 1;
    const size = node => 4 + 10 * Math.sqrt((node.self_ms ?? 0) / longest);
    const points = nodes.map(node => ({
      x: plot.x(node.flops / node.bytes), y: plot.y(node.gflops), node: node.index,
      heading: String(node.name),
      entries: [["op", node.op], ["phase", node.phase],
        ["rate", `${format.number(node.gflops)} GFLOP/s`],
        ["work", `${format.number(node.flops / node.bytes)} FLOP/byte`],
        ["of peak", format.known(node.peak_fraction) ? format.percent(node.peak_fraction) : null],
        ["self time", format.milliseconds(node.self_ms)]],
    }));
    const order = nodes.map((_, k) => k).sort((a, b) => size(nodes[b]) - size(nodes[a]));
    for (const k of order) {  // small ones in front of large ones
      plot.draw("circle", {class: "dot", cx: points[k].x, cy: points[k].y, r: size(nodes[k]),
        fill: model.colourOf(nodes[k].op)});
    }
    points.sort((a, b) => a.x - b.x);
    gradmill.makeReadable(plot, points, {tip, pick: point => model.select(point.node)});
  };

  // The nodes that would shorten the run most, if each ran as fast as its roof allows.
  const gains = (model, nodes) => {
    const rows = nodes
      .filter(node => format.known(node.peak_fraction) && format.known(node.self_ms))
      .map(node => ({node, ms: node.self_ms * Math.max(0, 1 - node.peak_fraction)}))
      .sort((a, b) => b.ms - a.ms).slice(0, MOST_GAINS);
    if (rows.length === 0) return null;
    const of = value => format.column(rows.map(value), 4);
    return [
      gradmill.element("h3", {}, "Most to gain up to the roof"),
      gradmill.makeTable({label: "Most to gain", rows, columns: [
        {name: "node", text: true, value: row => row.node.name,
          show: (name, row) => gradmill.nodeLink(model, row.node.index)},
        {name: "self ms", value: row => row.node.self_ms, show: of(row => row.node.self_ms)},
        {name: "of peak", value: row => row.node.peak_fraction, show: format.percent},
        {name: "gain ms", value: row => row.ms, show: of(row => row.ms),
          hint: "its own time above what the roof would take"},
      ]}).element,
    ];
  };

  gradmill.showRoofline = (section, model, tip) => {
    const nodes = model.nodes.filter(node => node.flops > 0 && node.bytes > 0 && node.gflops > 0);
    if (nodes.length === 0) {
      section.append(gradmill.note("No node with floating-point operations was measured."));
      return;
    }
    const limits = perThread(model.data);
    const intensities = nodes.map(node => node.flops / node.bytes);
    const across = {min: Math.min(...intensities) / 2, max: Math.max(...intensities) * 2};
    if (limits.peak !== null && limits.bandwidth !== null) {
      across.max = Math.max(across.max, limits.peak / limits.bandwidth * 2);
    }
    const highest = Math.max(limits.peak ?? 0, ...nodes.map(node => node.gflops));
    const lowest = Math.min(...nodes.map(node => node.gflops));
    const up = {min: lowest / 2, max: highest * 2};
    const axis = ({min, max}, title) => ({min, max, log: true, title,
      ticks: gradmill.decadeTicks(min, max), show: tick => format.number(tick, 1)});
    const plot = gradmill.makePlot({
      id: "roofline-plot",
      label: `Roofline of ${nodes.length} nodes, for one thread. ` +
        "Left and right arrows go from node to node.",
      x: axis(across, "FLOP per byte"),
      y: axis(up, "GFLOP/s of one thread"),
    });
    drawRoof(plot, across, up.min, limits);
    drawDots(plot, model, nodes, tip);

    const lacking = [limits.peak === null ? "peak GFLOP/s" : "",
      limits.bandwidth === null ? "bandwidth" : ""].filter(word => word !== "");
    const left = model.nodes.length - nodes.length;
    section.append(gradmill.sideBySide(plot.svg,
      gradmill.element("p", {}, "A dot is a node: how many operations it does with each byte, " +
        "and how fast one thread did them. The larger the dot, the longer it ran in all."),
      gradmill.element("p", {}, "Under the slope the memory sets the limit, under the flat part " +
        "the processor does. What stays far below both can be made faster as it is."),
      lacking.length === 0 ? null
        : gradmill.note(`No roof for it: the machine's ${lacking.join(" and ")} is not known.`),
      left === 0 ? null : gradmill.note(`Left out: ${left} of ${model.nodes.length} nodes, ` +
        "which do no floating-point operations or took no time that was measured."),
      gains(model, nodes)));
  };
})();
