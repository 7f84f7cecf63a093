// The one tooltip of the page, and a line that tells a screen reader the same.

(() => {
  "use strict";

  const GAP = 14;  // pixels between the pointer and the tooltip

  gradmill.makeTip = () => {
    const {element} = gradmill;
    const box = element("div", {id: "tip", role: "tooltip", hidden: true});
    const spoken = element("div", {id: "spoken", class: "unseen", "aria-live": "polite"});
    document.body.append(box, spoken);

    return {
      // `x` and `y` are of the window; the tooltip goes where there is room for all of it.
      show(x, y, heading, entries, speak = false) {
        box.replaceChildren(element("strong", {}, heading), gradmill.pairs(entries));
        box.hidden = false;
        const {width, height} = box.getBoundingClientRect();
        const right = document.documentElement.clientWidth, foot = window.innerHeight;
        const left = x + GAP + width > right ? x - GAP - width : x + GAP;
        const top = y + GAP + height > foot ? y - GAP - height : y + GAP;
        box.style.left = `${window.scrollX + Math.max(4, left)}px`;
        box.style.top = `${window.scrollY + Math.max(4, top)}px`;
        if (speak) {
          const said = entries.filter(([, value]) => value != null).map(entry => entry.join(" "));
          spoken.textContent = [heading, ...said].join(", ");
        }
      },
      hide() { box.hidden = true; },
    };
  };
})();
