// Where the time of all threads went.

(() => {
  "use strict";

  const {element, format} = gradmill;

  const REASONS = [
    ["busy", "busy", "a tile ran"],
    ["dispatch", "dispatch", "work was ready, and no worker had taken it yet, or had no core"],
    ["nothing_ready", "nothing ready", "all that was left waited for what ran"],
    ["serial_section", "serial section", "a single tile ran alone and everything waited for it"],
    ["too_few_tiles", "too few tiles", "what ran has fewer tiles than there are workers"],
    ["uneven_tiles", "uneven tiles", "what ran had tiles enough, but the last ones ended late"],
  ];

  gradmill.showEfficiency = (section, model) => {
    const parts = model.data.efficiency ?? {};
    const reasons = REASONS.filter(([key]) => format.known(parts[key]));
    if (reasons.length === 0) {
      section.append(gradmill.note("Not known: no run was measured."));
      return;
    }
    const said = reasons.map(([key, name]) => `${name} ${format.percent(parts[key])}`).join(", ");
    const bar = element("div", {class: "stack", role: "img", "aria-label": said},
      reasons.filter(([key]) => parts[key] > 0).map(([key, name]) => {
        const part = element("span", {class: `reason ${key}`,
          title: `${name}: ${format.percent(parts[key])}`},
        parts[key] > 0.1 ? format.percent(parts[key]) : "");
        part.style.flexGrow = parts[key];
        return part;
      }));
    const list = element("dl", {class: "reasons"}, reasons.map(([key, name, meaning]) =>
      element("div", {},
        element("dt", {},
          element("span", {class: `swatch reason ${key}`, "aria-hidden": "true"}), name),
        element("dd", {class: "number"}, format.percent(parts[key])),
        element("dd", {}, meaning))));
    section.append(bar, list,
      gradmill.note("Of the time of all threads, from the start to the end of each run."));
  };
})();
