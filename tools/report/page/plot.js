// A figure with two axes, and a way to read its points with the pointer or the arrow keys.

(() => {
  "use strict";

  const {element, shape} = gradmill;
  const WIDTH = 660, HEIGHT = 320;
  const LEFT = 62, RIGHT = 18, TOP = 14, BOTTOM = 46;

  // An axis: {min, max, log, ticks, show(tick), title}
  gradmill.makePlot = ({id, label, x: across, y: up}) => {
    const right = WIDTH - RIGHT, bottom = HEIGHT - BOTTOM;
    const x = gradmill.scale(across, LEFT, right);
    const y = gradmill.scale(up, bottom, TOP);
    const clipId = `${id}-inside`;
    const inside = shape("g", {"clip-path": `url(#${clipId})`});
    const svg = shape("svg", {id, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "plot", tabindex: "0",
      role: "img", "aria-label": label},
      shape("clipPath", {id: clipId}, shape("rect",
        {x: LEFT, y: TOP, width: right - LEFT, height: bottom - TOP})));

    for (const tick of across.ticks) {
      svg.append(
        shape("line", {class: "grid", x1: x(tick), x2: x(tick), y1: TOP, y2: bottom}),
        shape("text", {x: x(tick), y: bottom + 17, "text-anchor": "middle"}, across.show(tick)));
    }
    for (const tick of up.ticks) {
      svg.append(
        shape("line", {class: "grid", x1: LEFT, x2: right, y1: y(tick), y2: y(tick)}),
        shape("text", {x: LEFT - 7, y: y(tick) + 4, "text-anchor": "end"}, up.show(tick)));
    }
    const middle = (TOP + bottom) / 2;
    svg.append(
      shape("text", {class: "axis", x: (LEFT + right) / 2, y: HEIGHT - 8,
        "text-anchor": "middle"}, across.title),
      shape("text", {class: "axis", x: 14, y: middle, "text-anchor": "middle",
        transform: `rotate(-90 14 ${middle})`}, up.title),
      inside);

    return {
      svg, x, y,
      left: LEFT, right, top: TOP, bottom,
      draw: (tag, attributes) => inside.append(shape(tag, attributes)),
      // A line through points in the values of the axes.
      line: (points, attributes) => inside.append(shape("path", {...attributes, fill: "none",
        d: points.map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(2)} ${y(b).toFixed(2)}`)
          .join("")})),
      text: (atX, atY, text, attributes = {}) =>
        svg.append(shape("text", {x: atX, y: atY, ...attributes}, text)),
    };
  };

  // Points: {x, y, heading, entries, node}, x and y in the figure. With `columns`, the height of
  // the pointer does not count.
  gradmill.makeReadable = ({svg}, points, {tip, pick = null, columns = false}) => {
    if (points.length === 0) return;
    const ring = shape("circle", {class: "ring", r: 7, visibility: "hidden"});
    svg.append(ring);
    let at = null;

    const show = (k, speak) => {
      at = k;
      const {x, y, heading, entries} = points[k];
      ring.setAttribute("cx", x);
      ring.setAttribute("cy", y);
      ring.setAttribute("visibility", "visible");
      const {x: clientX, y: clientY} = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
      tip.show(clientX, clientY, heading, entries, speak);
    };
    const hide = () => {
      at = null;
      ring.setAttribute("visibility", "hidden");
      tip.hide();
    };
    const nearest = event => {
      const place = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(svg.getScreenCTM().inverse());
      let best = 0, least = Infinity;
      points.forEach(({x, y}, k) => {
        const distance = Math.hypot(x - place.x, columns ? 0 : y - place.y);
        if (distance < least) [best, least] = [k, distance];
      });
      return {best, least};
    };

    svg.addEventListener("pointermove", event => {
      const {best, least} = nearest(event);
      if (least < 40) show(best, false);
      else hide();
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("click", () => at !== null && pick?.(points[at]));
    svg.addEventListener("keydown", event => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (step) {
        const from = at ?? (step > 0 ? -1 : points.length);
        show(Math.min(points.length - 1, Math.max(0, from + step)), true);
        event.preventDefault();
      } else if (event.key === "Enter" && at !== null) {
        pick?.(points[at]);
      } else if (event.key === "Escape") {
        hide();
      }
    });
  };

  // A figure on the left, and what belongs to it on the right.
  gradmill.sideBySide = (figure, ...side) => element("div", {class: "side-by-side"},
    element("figure", {}, figure), element("div", {}, side));
})();
