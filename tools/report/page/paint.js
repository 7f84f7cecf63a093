// Paints the timeline: runs on top, a lane for each worker below, and the time at the foot.

(() => {
  "use strict";

  const HEAD = 22, FOOT = 24, GUTTER = 92, MARGIN = 12, GAP = 4;
  const LABEL_FONT = "12px system-ui, sans-serif";
  const LABEL_PITCH = 34;  // pixels that the number of a run needs
  const DIM = 0.16, PALE = 0.4;
  const OUTLINED = 3;  // pixels; a narrower tile has no outline of its own
  const JOINED = 150;  // pixels; in a narrower run the lines of the critical path would be a blot

  gradmill.timelineLayout = laneCount => {
    const pitch = Math.max(16, Math.min(64, Math.floor(340 / Math.max(1, laneCount))));
    return {
      head: HEAD, left: GUTTER, right: MARGIN, pitch,
      barHeight: pitch - GAP,
      height: HEAD + laneCount * pitch + FOOT,
      top: lane => HEAD + lane * pitch + GAP / 2,
      laneAt(y) {
        const lane = Math.floor((y - HEAD) / pitch);
        return lane >= 0 && lane < laneCount ? lane : null;
      },
    };
  };

  const fitted = (context, text, room) => {
    const width = context.measureText(text).width;
    if (width <= room) return text;
    const letters = Math.floor(text.length * room / width) - 1;
    return letters < 2 ? "" : `${text.slice(0, letters)}…`;
  };

  gradmill.makePainter = (canvas, {model, tiles, view, layout, critical}) => {
    const context = canvas.getContext("2d");
    const {begin, end, node, lanes, runs} = tiles;
    const colours = new Map(model.nodes.map(entry => [entry.index, model.colourOf(entry.op)]));
    let theme = {}, width = 0;

    const clip = (x, y, w, h) => {
      context.save();
      context.beginPath();
      context.rect(x, y, w, h);
      context.clip();
    };

    // How strongly a node is painted: found once a painting, as there are more tiles than nodes.
    const strengths = new Map();
    const findStrengths = () => {
      for (const {index} of model.nodes) {
        const strong = model.matching !== null ? (model.matches(index) ? 1 : DIM)
          : model.selected === null || model.selected === index ? 1 : PALE;
        strengths.set(index, strong);
      }
    };
    const strength = id => strengths.get(node[id]) ?? 1;

    // Every how many runs a label has room: one, two, five, ten...
    const labelStride = () => {
      const pitch = (view.x(tiles.last) - view.x(tiles.first)) / Math.max(1, runs.length);
      let power = 1;
      for (;; power *= 10) {
        const factor = [1, 2, 5].find(candidate => candidate * power * pitch >= LABEL_PITCH);
        if (factor) return factor * power;
      }
    };
    const paintRuns = () => {
      context.font = LABEL_FONT;
      context.textAlign = "left";
      const stride = labelStride();
      for (const run of runs) {
        const x0 = view.x(run.begin_us), x1 = view.x(run.end_us);
        if (x1 < layout.left || x0 > width) continue;
        const isCritical = run === critical.run;
        context.fillStyle = isCritical ? theme.critical : theme.line;
        context.fillRect(x0, HEAD - 4, Math.max(1, x1 - x0 - 1), 3);
        context.fillRect(x0, HEAD - 4, 1, canvas.clientHeight - HEAD - FOOT + 4);
        const x = Math.max(x0, layout.left) + 3;
        const room = Math.min(width, Math.max(x1, x0 + LABEL_PITCH)) - x;
        if (run.run % stride !== 0 || room < LABEL_PITCH - 3) continue;
        context.fillStyle = isCritical ? theme.critical : theme.muted;
        context.fillText(x1 - x0 > 2 * LABEL_PITCH ? `run ${run.run}` : `${run.run}`, x, 12);
      }
    };

    const paintBar = (id, x0, x1, top) => {
      const strong = strength(id);
      context.globalAlpha = strong;
      context.fillStyle = colours.get(node[id]) ?? theme.muted;
      const left = Math.max(x0, layout.left - 2), right = Math.min(x1, width + 2);
      const gap = x1 - x0 > 3 ? 1 : 0;  // neighbours of one op stay apart
      context.fillRect(left, top, right - left - gap, layout.barHeight);
      if (right - left > 30 && layout.barHeight >= 12) {
        const text = fitted(context, model.nameOf(node[id]), right - left - 8);
        context.globalAlpha = strong === DIM ? PALE : 1;
        context.fillStyle = strong === 1 ? "#000" : theme.text;
        context.fillText(text, left + 4, top + layout.barHeight / 2 + 4);
      }
      context.globalAlpha = 1;
    };

    // Tiles narrower than a pixel share it: the colour is that of the longest among the strongest,
    // and the height is the part of the pixel that is covered.
    let shares = new Float32Array(0), longest = new Int32Array(0);
    const addToPixel = (id, x, share) => {
      shares[x] += share;
      const other = longest[x];
      const stronger = other < 0 ? 1 : strength(id) - strength(other);
      if (stronger > 0 || (stronger === 0 && end[id] - begin[id] > end[other] - begin[other])) {
        longest[x] = id;
      }
    };
    const paintPixels = foot => {
      const heightAt = x => Math.max(2, Math.round(layout.barHeight * Math.min(1, shares[x])));
      for (let x = 0, next = 0; x < longest.length; x = next) {
        next = x + 1;
        const id = longest[x];
        if (id < 0) continue;
        const height = heightAt(x), colour = colours.get(node[id]), strong = strength(id);
        while (longest[next] >= 0 && colours.get(node[longest[next]]) === colour &&
            strength(longest[next]) === strong && heightAt(next) === height) {
          ++next;
        }
        context.globalAlpha = strong;
        context.fillStyle = colour ?? theme.muted;
        context.fillRect(x, foot - height, next - x, height);
      }
      context.globalAlpha = 1;
    };

    const outline = (id, colour, thickness) => {
      const x0 = view.x(begin[id]), x1 = view.x(end[id]);
      if (x1 < layout.left || x0 > width) return;
      const half = thickness / 2;
      context.strokeStyle = colour;
      context.lineWidth = thickness;
      context.strokeRect(Math.max(x0, layout.left - 4) + half, layout.top(tiles.lane[id]) + half,
        Math.max(1, Math.min(x1, width + 4) - Math.max(x0, layout.left - 4) - thickness),
        layout.barHeight - thickness);
    };

    const paintLane = number => {
      const lane = lanes[number], top = layout.top(number);
      const selected = [];
      shares.fill(0);
      longest.fill(-1);
      for (let k = tiles.firstEndingAfter(lane, view.begin); k < lane.tiles.length; ++k) {
        const id = lane.tiles[k];
        if (begin[id] > view.end) break;
        const x0 = view.x(begin[id]), x1 = view.x(end[id]);
        if (x1 - x0 < 1) addToPixel(id, Math.floor(x0), x1 - x0);
        else paintBar(id, x0, x1, top);
        if (node[id] === model.selected) selected.push(id);
      }
      paintPixels(top + layout.barHeight);
      let free = -Infinity;
      for (const id of selected) {
        if (view.x(end[id]) - view.x(begin[id]) >= OUTLINED) {
          outline(id, theme.text, 2);
        } else if (view.x(begin[id]) >= free) {
          free = Math.floor(view.x(begin[id])) + 1;
          context.fillStyle = theme.text;
          context.fillRect(free - 1, top, 1, 4);
        }
      }
    };

    // Each step's last tile is joined to the first of the next step.
    const paintCritical = () => {
      context.strokeStyle = theme.critical;
      for (const {ids} of critical.steps) {
        for (const id of ids) {
          if (end[id] < view.begin || begin[id] > view.end) continue;
          if (view.x(end[id]) - view.x(begin[id]) >= OUTLINED) outline(id, theme.critical, 2);
        }
      }
      const run = critical.run;
      if (view.x(run.end_us) - view.x(run.begin_us) < JOINED) return;
      const beside = id => layout.top(tiles.lane[id]) + layout.barHeight * 0.8;  // not on names
      context.lineWidth = 2;
      context.beginPath();
      critical.steps.slice(1).forEach(({first}, k) => {
        const {last} = critical.steps[k];
        const x0 = view.x(end[last]), x1 = view.x(begin[first]);
        if (x1 < layout.left || x0 > width) return;
        context.moveTo(x0, beside(last));
        context.lineTo(x1, beside(first));
      });
      context.stroke();
    };

    const paintTimes = () => {
      const y = canvas.clientHeight - FOOT;
      const ticks = gradmill.linearTicks(view.begin, view.end, Math.max(2, (width - GUTTER) / 110));
      const step = ticks.length > 1 ? ticks[1] - ticks[0] : view.span;
      const [unit, size] = view.end >= 1000 && step >= 1 ? ["ms", 1000] : ["µs", 1];
      const places = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / size) - 1e-9)));
      context.font = LABEL_FONT;
      context.textAlign = "center";
      for (const time of ticks) {
        const x = view.x(time), text = `${(time / size).toFixed(places)} ${unit}`;
        const half = context.measureText(text).width / 2;
        context.fillStyle = theme.line;
        context.fillRect(Math.round(x), y, 1, 5);
        context.fillStyle = theme.muted;
        if (x - half < layout.left - 30 || x + half > width + MARGIN) continue;
        context.fillText(text, x, y + 18);
      }
      context.textAlign = "left";
    };

    const paintNames = () => {
      context.font = LABEL_FONT;
      lanes.forEach(({name}, number) => {
        context.fillStyle = theme.muted;
        const text = fitted(context, String(name), GUTTER - 12);
        context.fillText(text, 2, layout.top(number) + layout.barHeight / 2 + 4);
      });
    };

    return {
      readTheme() {
        const style = getComputedStyle(document.documentElement);
        for (const name of ["text", "muted", "line", "lane", "critical"]) {
          theme[name] = style.getPropertyValue(`--${name}`).trim();
        }
      },

      resize() {
        const ratio = window.devicePixelRatio || 1;
        const inner = canvas.clientWidth;
        canvas.width = Math.round(inner * ratio);
        canvas.height = Math.round(canvas.clientHeight * ratio);
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        width = inner - layout.right;
        view.place(layout.left, width - layout.left);
        shares = new Float32Array(inner);
        longest = new Int32Array(inner);
      },

      // `marked` is the tile under the pointer or the keyboard, if any.
      paint({marked, showCritical}) {
        findStrengths();
        context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
        context.fillStyle = theme.lane;
        lanes.forEach((_, number) => context.fillRect(
          layout.left, layout.top(number), width - layout.left, layout.barHeight));
        clip(layout.left, 0, width - layout.left, canvas.clientHeight - FOOT + 1);
        paintRuns();
        lanes.forEach((_, number) => paintLane(number));
        if (showCritical && critical.run) paintCritical();
        if (marked !== null) outline(marked, theme.text, 1.5);
        context.restore();
        paintTimes();
        paintNames();
      },
    };
  };
})();
