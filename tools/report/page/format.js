// Numbers as people read them: few digits, a unit, and a dash for what is not known.

(() => {
  "use strict";

  const DASH = "–";
  const known = value => typeof value === "number" && Number.isFinite(value);

  const grouped = new Map();
  const fixed = (value, decimals) => {
    if (!grouped.has(decimals)) {
      grouped.set(decimals, new Intl.NumberFormat("en", {
        minimumFractionDigits: decimals, maximumFractionDigits: decimals}));
    }
    return grouped.get(decimals).format(value);
  };

  // How many decimals show `digits` digits of a number.
  const decimals = (value, digits) => {
    const size = Math.abs(value);
    if (!known(size) || size === 0) return 0;
    return Math.min(6, Math.max(0, digits - 1 - Math.floor(Math.log10(size) + 1e-9)));
  };

  const number = (value, digits = 3) => known(value) ? fixed(value, decimals(value, digits)) : DASH;

  const scaled = (value, units, digits) => {
    if (!known(value)) return DASH;
    const [size, unit] = units.find(([least]) => Math.abs(value) >= least) ?? units.at(-1);
    return `${number(value / size, digits)} ${unit}`;
  };

  const TIMES = [[1e6, "s"], [1e3, "ms"], [1, "µs"], [1e-3, "ns"]];
  const BYTES = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
  const FLOPS = [[1e12, "TFLOP"], [1e9, "GFLOP"], [1e6, "MFLOP"], [1e3, "kFLOP"], [1, "FLOP"]];

  gradmill.format = {
    DASH,
    known,
    number,
    microseconds: value => value === 0 ? "0 µs" : scaled(value, TIMES),
    milliseconds: value => value === 0 ? "0 ms" : scaled(known(value) ? value * 1e3 : value, TIMES),
    bytes: value => scaled(value, BYTES),
    flops: value => scaled(value, FLOPS),
    percent: value => known(value) ? `${fixed(value * 100, 1)} %` : DASH,
    times: value => known(value) ? `${number(value)}×` : DASH,

    // A format for ticks that are a step apart.
    ticks([first, second]) {
      const places = Math.max(0, Math.ceil(-Math.log10(second - first || 1) - 1e-9));
      return value => fixed(value, Math.min(places, 6));
    },

    // A format for one column: as many decimals for every number as the largest one needs, so that
    // the points stand one below the other.
    column(values, digits) {
      const places = decimals(Math.max(0, ...values.filter(known).map(Math.abs)), digits);
      return value => known(value) ? fixed(value, places) : DASH;
    },
  };
})();
