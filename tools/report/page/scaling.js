// How much faster a run would be with more workers, as predicted, and as measured where it was.

(() => {
  "use strict";

  const {element, format} = gradmill;

  // Measured against the same time that the predicted speed-ups are.
  const measuredSpeedup = row =>
    row.measured_ms > 0 ? row.ms * row.speedup / row.measured_ms : null;

  const draw = (scaling, rows, tip) => {
    const bound = scaling.work_ms > 0 && scaling.critical_path_ms > 0
      ? scaling.work_ms / scaling.critical_path_ms : null;
    const reached = Math.max(...rows.map(row => Math.max(row.speedup, measuredSpeedup(row) ?? 0)));
    const top = Math.max(1, reached, Math.min(bound ?? 0, 2 * reached)) * 1.18;
    const last = Math.max(2, ...rows.map(row => row.workers));
    const ticks = gradmill.linearTicks(0, top, 6);
    const plot = gradmill.makePlot({
      id: "scaling-plot",
      label: `Predicted speed-up for 1 to ${last} workers, at most ${format.times(reached)}. ` +
        "Left and right arrows go from one prediction to the next.",
      x: {min: 0.93, max: last * 1.07, log: true, ticks: gradmill.doublingTicks(last),
        title: "workers", show: tick => format.number(tick, 1)},
      y: {min: 0, max: top, ticks, show: format.ticks(ticks), title: "speed-up"},
    });
    const ideal = Array.from({length: 129}, (_, k) => last ** (k / 128));
    plot.line(ideal.map(workers => [workers, workers]), {class: "ideal"});
    const leaves = Math.min(top, last);  // where the ideal line leaves the figure
    plot.text(plot.x(leaves) - 8, plot.y(leaves) + 16, "ideal", {"text-anchor": "end"});
    if (bound !== null && bound <= top) {
      plot.line([[1, bound], [last, bound]], {class: "bound"});
      plot.text(plot.right - 4, plot.y(bound) - 6, `longest chain: at most ${format.times(bound)}`,
        {"text-anchor": "end"});
    }
    plot.line(rows.map(row => [row.workers, row.speedup]), {class: "curve"});
    const points = [];
    for (const row of rows) {
      const x = plot.x(row.workers), y = plot.y(row.speedup);
      plot.draw("circle", {class: "predicted", cx: x, cy: y, r: 3.5});
      points.push({x, y, heading: `${row.workers} workers`, entries: [
        ["predicted", `${format.milliseconds(row.ms)}, ${format.times(row.speedup)}`],
        ["measured", row.measured_ms > 0 ? format.milliseconds(row.measured_ms) : null]]});
      const measured = measuredSpeedup(row);
      if (measured === null) continue;
      const at = plot.y(measured);
      plot.draw("path", {class: "measured", d: `M${x - 5} ${at - 5}l10 10m0 -10l-10 10`});
    }
    gradmill.makeReadable(plot, points, {tip, columns: true});
    return plot.svg;
  };

  gradmill.showScaling = (section, model, tip) => {
    const scaling = model.data.scaling ?? {};
    const rows = (scaling.predictions ?? []).filter(
      row => row.workers >= 1 && format.known(row.speedup));
    if (rows.length === 0) {
      section.append(gradmill.note("Not known: nothing was predicted."));
      return;
    }
    const of = name => format.column(rows.map(row => row[name]), 4);
    const table = gradmill.makeTable({label: "Predictions", rows, className: "tall", columns: [
      {name: "workers", value: row => row.workers},
      {name: "ms", value: row => row.ms, show: of("ms")},
      {name: "measured ms", value: row => row.measured_ms, show: of("measured_ms")},
      {name: "off by", hint: "the prediction, of what was measured",
        value: row => row.measured_ms > 0 ? row.ms / row.measured_ms - 1 : null,
        show: format.percent},
      {name: "speed-up", value: row => row.speedup, show: format.times},
      {name: "efficiency", value: row => row.efficiency, show: format.percent, share: true},
    ]}).element;
    section.append(
      gradmill.pairs([
        ["work, on one worker", format.milliseconds(scaling.work_ms)],
        ["longest chain", format.milliseconds(scaling.critical_path_ms)],
        ["to start a tile", format.microseconds(scaling.dispatch_us)],
        ["bytes moved a run", format.bytes(scaling.bytes)],
        ["bandwidth cap", format.known(scaling.bandwidth_gbs)
          ? `${format.number(scaling.bandwidth_gbs)} GB/s` : "none"],
      ], {class: "figures small"}),
      gradmill.sideBySide(draw(scaling, rows, tip), table,
        element("p", {class: "note"}, "Line: predicted. Crosses: measured.")));
  };
})();
