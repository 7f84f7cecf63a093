// The timeline as the reader handles it: wheel, drag, keys, search and the buttons around it.

(() => {
  "use strict";

  const {element, format} = gradmill;
  const NEAR = 3;  // pixels: how far from a narrow tile the pointer may be, and a click may drift
  const WHEEL = 0.0015, STEP = 1.5, PAN = 0.2;
  const HELP = "Wheel or + and − zoom, drag or ← and → pan, 0 shows everything. " +
    "N and P go from tile to tile, ↑ and ↓ between workers, Enter selects, Esc clears.";

  const describe = (id, {model, tiles}) => {
    const node = model.node(tiles.node[id]) ?? {};
    const parts = node.kernel_phases > 1
      ? `${node.op}, part ${node.kernel_phase + 1} of ${node.kernel_phases}` : node.op;
    const run = tiles.runAt(tiles.begin[id]);
    return [
      ["op", parts],
      ["phase", node.phase],
      ["shape", node.shapes],
      ["tile", node.tiles ? `${tiles.tile[id] + 1} of ${node.tiles}` : `${tiles.tile[id] + 1}`],
      ["duration", format.microseconds(tiles.end[id] - tiles.begin[id])],
      ["node's rate", format.known(node.gflops)
        ? `${format.number(node.gflops)} GFLOP/s per thread` : null],
      ["when", run ? `${format.microseconds(tiles.begin[id] - run.begin_us)} into run ${run.run}`
        : null],
    ];
  };

  const legend = model => element("ul", {class: "legend", "aria-label": "Colours of the ops"},
    [...new Set(model.nodes.map(node => String(node.op)))].sort().map(op =>
      element("li", {}, gradmill.swatch(model.colourOf(op)), op)));

  gradmill.makeTimeline = (section, model, tip) => {
    const timeline = model.data.timeline;
    const tiles = gradmill.makeTiles(timeline);
    if (tiles.count === 0) {
      section.append(gradmill.note("No tiles were recorded."));
      return null;
    }
    const view = gradmill.makeView(tiles.first, tiles.last);
    const layout = gradmill.timelineLayout(tiles.lanes.length);
    const critical = gradmill.criticalSteps(model.data.critical_path, tiles);

    const canvas = element("canvas", {id: "tiles", tabindex: "0", role: "application",
      "aria-label": `Timeline of ${tiles.lanes.length} workers and ${tiles.count} tiles. ${HELP}`});
    canvas.style.height = `${layout.height}px`;
    const showCritical = element("input", {type: "checkbox", id: "show-critical",
      checked: critical.steps.length > 0, disabled: critical.steps.length === 0,
      change: () => redraw()});
    const button = (id, label, text, click) =>
      element("button", {type: "button", id, "aria-label": label, title: label, click}, text);
    const range = element("output", {id: "range", "aria-label": "Shown time"});

    const painter = gradmill.makePainter(canvas, {model, tiles, view, layout, critical});
    let marked = null;     // the tile under the pointer or that the keys have reached
    let waiting = false;   // for a frame to paint in
    let drawMs = 0, draws = 0;

    const redraw = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        const started = performance.now();
        painter.paint({marked, showCritical: showCritical.checked});
        drawMs = performance.now() - started;
        ++draws;
        range.textContent = `${format.microseconds(view.span)} of ` +
          format.microseconds(tiles.last - tiles.first);
      });
    };

    const lookAway = () => {
      marked = null;
      tip.hide();
    };
    const change = (...steps) => {
      lookAway();
      steps.forEach(step => step());
      redraw();
    };
    const zoomTo = run => {
      const margin = (run.end_us - run.begin_us) * 0.02;
      change(() => view.show(run.begin_us - margin, run.end_us + margin));
    };

    // In pixels of the canvas.
    const placeOf = id => ({
      x: (Math.max(view.x(tiles.begin[id]), layout.left) +
        Math.min(view.x(tiles.end[id]), canvas.clientWidth - layout.right)) / 2,
      y: layout.top(tiles.lane[id]) + layout.barHeight / 2,
    });
    const tileAt = (x, y) => {
      const lane = layout.laneAt(y);
      if (lane === null || x < layout.left || x > canvas.clientWidth - layout.right) return null;
      return tiles.at(lane, view.time(x), NEAR * view.pixel);
    };

    const showTip = (id, x, y, speak) => {
      const {left, top} = canvas.getBoundingClientRect();
      const heading = String(model.nameOf(tiles.node[id]));
      tip.show(left + x, top + y, heading, describe(id, {model, tiles}), speak);
    };
    const mark = id => {
      marked = id;
      const inside = tiles.end[id] > view.begin && tiles.begin[id] < view.end;
      if (!inside) view.pan((tiles.begin[id] + tiles.end[id]) / 2 - (view.begin + view.end) / 2);
      const {x, y} = placeOf(id);
      showTip(id, x, y, true);
      redraw();
    };

    // To a tile of a node that matches the search, near enough to see it.
    const goToMatch = step => {
      if (!model.matching?.size) return false;
      const id = tiles.next(marked, step, index => model.matching.has(index));
      if (id === null) return false;
      const middle = (tiles.begin[id] + tiles.end[id]) / 2;
      const span = Math.min(view.span, 20 * Math.max(1, tiles.end[id] - tiles.begin[id]));
      view.show(middle - span / 2, middle + span / 2);
      canvas.scrollIntoView({block: "nearest"});
      mark(id);
      return true;
    };

    const stepAlong = step => {
      if (marked === null) {
        const middle = view.begin + view.span / 2;
        const shown = tiles.lanes.map(lane => lane.tiles[tiles.firstEndingAfter(lane, middle)]);
        const id = shown.find(candidate => candidate !== undefined) ?? tiles.count - 1;
        mark(id);
        return;
      }
      const {tiles: row} = tiles.lanes[tiles.lane[marked]];
      const next = row[row.indexOf(marked) + step];
      if (next !== undefined) mark(next);
    };
    const stepAcross = step => {
      if (marked === null) return stepAlong(1);
      const {begin, end, lane, lanes} = tiles;
      const middle = (begin[marked] + end[marked]) / 2;
      for (let other = lane[marked] + step; lanes[other]; other += step) {
        const row = lanes[other].tiles;
        if (row.length === 0) continue;
        return mark(row[Math.min(row.length - 1, tiles.firstEndingAfter(lanes[other], middle))]);
      }
    };

    const keys = {
      "+": () => change(() => view.zoom(1 / STEP)),
      "=": () => change(() => view.zoom(1 / STEP)),
      "-": () => change(() => view.zoom(STEP)),
      ArrowLeft: () => change(() => view.pan(-view.span * PAN)),
      ArrowRight: () => change(() => view.pan(view.span * PAN)),
      0: () => change(view.reset),
      Home: () => change(view.reset),
      n: () => stepAlong(1),
      p: () => stepAlong(-1),
      ArrowUp: () => stepAcross(-1),
      ArrowDown: () => stepAcross(1),
      Enter: () => marked !== null && model.select(tiles.node[marked]),
      Escape: () => change(() => model.select(null)),
    };
    canvas.addEventListener("keydown", event => {
      if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
      event.preventDefault();
      keys[event.key]();
    });
    canvas.addEventListener("blur", () => change());

    canvas.addEventListener("wheel", event => {
      const out = event.deltaY > 0;
      if (event.ctrlKey || (out && view.isWhole)) return;  // the page's own zoom and scrolling
      event.preventDefault();
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (sideways !== 0) change(() => view.pan(sideways * view.pixel));
      else change(() => view.zoom(Math.exp(event.deltaY * WHEEL), view.time(event.offsetX)));
    }, {passive: false});

    let drag = null;
    canvas.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      drag = {x: event.offsetX, from: event.offsetX, moved: false};
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", event => {
      const {offsetX: x, offsetY: y} = event;
      if (drag) {
        drag.moved ||= Math.abs(x - drag.from) > NEAR;
        if (!drag.moved) return;
        canvas.classList.add("dragged");
        change(() => view.pan((drag.x - x) * view.pixel));
        drag.x = x;
        return;
      }
      const id = tileAt(x, y);
      if (id === null) lookAway();
      else showTip(id, x, y, false);
      marked = id;
      redraw();
    });
    canvas.addEventListener("pointerup", event => {
      if (!drag || drag.moved) return;
      const id = tileAt(event.offsetX, event.offsetY);
      model.select(id === null ? null : tiles.node[id]);
    });
    canvas.addEventListener("lostpointercapture", () => {
      drag = null;
      canvas.classList.remove("dragged");
    });
    canvas.addEventListener("pointerleave", () => change());

    const controls = element("div", {class: "controls"},
      button("zoom-in", "Zoom in", "+", () => keys["+"]()),
      button("zoom-out", "Zoom out", "−", () => keys["-"]()),
      button("reset", "Show everything", "all", () => keys.Home()),
      critical.run && element("button", {type: "button", id: "zoom-critical",
        click: () => zoomTo(critical.run)}, "zoom to critical run"),
      element("label", {}, showCritical,
        element("span", {class: "critical-key"}, "critical path"),
        critical.run ? ` of run ${critical.run.run}` : " not known"),
      range);
    const shown = timeline.shown_runs, all = model.data.runs?.count;
    const remarks = [
      shown < all ? `${shown} of ${all} runs are shown.` : "",
      timeline.dropped_events > 0
        ? `${format.number(timeline.dropped_events, 1)} tiles more were not recorded.` : "",
    ].filter(remark => remark !== "");
    section.append(controls, canvas, legend(model),
      element("p", {class: "note"}, [HELP, ...remarks].join(" ")));

    const resized = () => {
      painter.resize();
      redraw();
    };
    painter.readTheme();
    resized();
    // Of many runs that were traced in turns with others, the whole shows little.
    if (critical.run) zoomTo(critical.run);
    new ResizeObserver(resized).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      painter.readTheme();
      redraw();
    });
    model.onChange(redraw);

    return {
      tiles, goToMatch,
      // What a test may look at.
      probe: {
        lanes: tiles.lanes.map(({name}) => name),
        events: tiles.count,
        view: () => ({begin_us: view.begin, end_us: view.end}),
        tileAt, placeOf,
        tile: id => ({lane: tiles.lane[id], node: tiles.node[id], tile: tiles.tile[id],
          begin_us: tiles.begin[id], end_us: tiles.end[id]}),
        critical: () => critical.steps.map(({ids}) => [...ids]),
        drawn: () => ({count: draws, ms: drawMs}),
      },
    };
  };
})();
