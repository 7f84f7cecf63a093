// The part of the time that the timeline shows, between whole and a fraction of a microsecond.

(() => {
  "use strict";

  const LEAST = 0.5;  // microseconds

  gradmill.makeView = (first, last) => {
    const whole = Math.max(last - first, LEAST);
    let begin = first, span = whole;
    let left = 0, width = 1;

    const set = (newBegin, newSpan) => {
      span = Math.min(whole, Math.max(LEAST, newSpan));
      begin = Math.min(first + whole - span, Math.max(first, newBegin));
    };

    const view = {
      get begin() { return begin; },
      get end() { return begin + span; },
      get span() { return span; },
      get pixel() { return span / width; },  // microseconds
      get isWhole() { return span >= whole * (1 - 1e-9); },
      place(newLeft, newWidth) { [left, width] = [newLeft, Math.max(1, newWidth)]; },
      x: time => left + (time - begin) / span * width,
      time: x => begin + (x - left) / width * span,
      pan: time => set(begin + time, span),
      // The time `about` stays where it is.
      zoom(factor, about = begin + span / 2) {
        const newSpan = Math.min(whole, Math.max(LEAST, span * factor));
        set(about - (about - begin) * newSpan / span, newSpan);
      },
      show: (from, to) => set(from, to - from),
      reset: () => set(first, whole),
    };
    return view;
  };
})();
