// Puts the page together.

(() => {
  "use strict";

  const {element, format} = gradmill;
  const at = id => document.getElementById(id);

  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  const bestPrediction = predictions => {
    const known = (predictions ?? []).filter(row => format.known(row.speedup));
    const most = Math.max(...known.map(row => row.speedup));
    return known.find(row => row.speedup >= 0.99 * most) ?? null;  // no more workers than it takes
  };

  const showHeader = data => {
    const {machine, runs, threads, memory} = data;
    const title = data.title ?? "a training run";
    at("title").textContent = `gradmill profile: ${title}`;
    document.title = `${title}, gradmill profile`;
    at("subtitle").textContent = [
      machine?.processor,
      machine?.cores ? counted(machine.cores, "core") : null,
      data.serial ? "serial, on the calling thread" : threads ? counted(threads, "thread") : null,
      runs?.count ? `${counted(runs.count, "run")} of one training step` : null,
    ].filter(part => part != null).join(" · ");

    const flops = (data.nodes ?? []).reduce((sum, node) => sum + (node.flops ?? 0), 0);
    const gflops = flops > 0 && runs?.median_ms > 0 ? flops / runs.median_ms / 1e6 : null;
    const best = bestPrediction(data.scaling?.predictions);
    const figures = [
      ["median step", format.milliseconds(runs?.median_ms),
        format.known(runs?.p10_ms) && format.known(runs?.p90_ms)
          ? `${format.milliseconds(runs.p10_ms)} to ${format.milliseconds(runs.p90_ms)}` +
            " in 8 of 10 runs" : null],
      ["busy", format.percent(data.efficiency?.busy), "of the time of all threads"],
      ["GFLOP/s", format.number(gflops), format.known(machine?.peak_gflops) && gflops !== null
        ? `${format.percent(gflops / machine.peak_gflops)} of ${format.number(machine.peak_gflops)}`
        : "peak not known"],
      ["peak memory", format.bytes(memory?.peak_bytes), "beside parameters and state"],
      ["best predicted speed-up", format.times(best?.speedup),
        best ? `with ${counted(best.workers, "worker")}` : null],
    ];
    at("figures").append(...figures.map(([name, value, remark]) => element("div", {},
      element("dt", {}, name), element("dd", {}, value),
      remark ? element("dd", {class: "remark"}, remark) : null)));
  };

  const connectSearch = (model, timeline) => {
    const field = at("search"), count = at("matches");
    field.addEventListener("input", () => model.search(field.value));
    at("search-form").addEventListener("submit", event => event.preventDefault());
    field.addEventListener("keydown", event => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      timeline?.goToMatch(event.shiftKey ? -1 : 1);
    });
    model.onChange(() => {
      const found = model.matching?.size;
      count.textContent = found === undefined ? ""
        : `${found} of ${counted(model.nodes.length, "node")}`;
    });
  };

  const data = JSON.parse(at("data").textContent);
  const model = gradmill.makeModel(data);
  const tip = gradmill.makeTip();

  showHeader(data);
  const timeline = gradmill.makeTimeline(at("timeline"), model, tip);
  gradmill.showSelected(at("timeline"), model);
  gradmill.showEfficiency(at("efficiency"), model);
  gradmill.showCriticalPath(at("critical-path"), model);
  gradmill.showOps(at("ops"), model);
  gradmill.showNodes(at("nodes"), model);
  gradmill.showMemory(at("memory"), model, tip);
  gradmill.showRoofline(at("roofline"), model, tip);
  gradmill.showScaling(at("scaling"), model, tip);
  connectSearch(model, timeline);

  // For tests: what the page shows, to look at only.
  window.gradmillReport = Object.freeze({
    ...(timeline?.probe ?? {lanes: [], events: 0}),
    selected: () => model.selected,
    matching: () => model.matching && [...model.matching],
    colourOf: model.colourOf,
  });
})();
