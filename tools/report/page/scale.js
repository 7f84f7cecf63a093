// Axes: where a value goes, and at which round values the ticks are.

(() => {
  "use strict";

  gradmill.linearTicks = (min, max, most) => {
    const rough = (max - min) / most;
    if (!(rough > 0)) return [min];
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find(factor => factor * power >= rough * (1 - 1e-9));
    const ticks = [];
    for (let k = Math.ceil(min / step - 1e-9); k * step <= max + step * 1e-9; ++k) {
      ticks.push(k * step + 0);  // no -0
    }
    return ticks;
  };

  // For an axis by logarithm: powers of ten, and twice and five times each where those are few.
  gradmill.decadeTicks = (min, max) => {
    const decades = Math.log10(max / min);
    const ticks = [];
    for (let power = Math.floor(Math.log10(min)); 10 ** power <= max; ++power) {
      for (const factor of decades < 3 ? [1, 2, 5] : [1]) ticks.push(factor * 10 ** power);
    }
    return ticks.filter(tick => tick >= min && tick <= max);
  };

  gradmill.doublingTicks = max =>
    Array.from({length: Math.floor(Math.log2(max)) + 1}, (_, k) => 2 ** k);

  gradmill.scale = ({min, max, log = false}, from, to) => {
    const bend = log ? Math.log : value => value;
    const low = bend(min), range = bend(max) - low || 1;
    return value => from + (bend(value) - low) / range * (to - from);
  };
})();
