// The chain of nodes that took as long as the run.

(() => {
  "use strict";

  const {element, format} = gradmill;

  gradmill.showCriticalPath = (section, model) => {
    const path = model.data.critical_path;
    const steps = path?.nodes ?? [];
    if (steps.length === 0) {
      section.append(gradmill.note("Not known: no run was recorded whole."));
      return;
    }
    const of = name => format.column(steps.map(step => step[name]), 4);
    const {element: table, lines} = gradmill.makeTable({
      label: "Critical path", className: "tall", rows: steps.map((step, k) => ({...step, k})),
      columns: [
        {name: "step", value: row => row.k + 1},
        {name: "node", text: true, value: row => model.nameOf(row.index),
          show: (name, row) => gradmill.nodeLink(model, row.index)},
        {name: "op", text: true, value: row => model.node(row.index)?.op ?? null,
          show: op => op === null ? format.DASH : gradmill.opName(model, op)},
        {name: "begin ms", value: row => row.begin_ms, show: of("begin_ms")},
        {name: "ms", value: row => row.ms, show: of("ms"), hint: "from its begin to where the next one waited for it"},
        {name: "of the path", value: row => path.ms > 0 ? row.ms / path.ms : null, share: true,
          show: format.percent},
        {name: "waited for", text: true,
          value: row => row.k === 0 ? null : row.for_worker ? "its worker" : "the result",
          hint: "what of the one before it had to wait for"},
        {name: "waiting before ms", value: row => row.wait_ms, show: of("wait_ms"),
          hint: "between the end of the one before and its own begin"},
      ]});
    model.onChange(() => {
      for (const {row, line} of lines) {
        if (row.index === model.selected) line.setAttribute("aria-current", "true");
        else line.removeAttribute("aria-current");
      }
    });
    section.append(
      element("p", {}, `Run ${path.run}: each of these nodes waited for the one before it, for ` +
        "its result or for the worker that it held, and together they took as long as the run."),
      gradmill.pairs([
        ["length", format.milliseconds(path.ms)],
        ["of that, waiting", format.milliseconds(path.waiting_ms)],
        ["bound, however many workers", format.milliseconds(path.bound_ms)],
      ], {class: "figures small"}),
      table);
  };
})();
