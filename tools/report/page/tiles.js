// The tiles of the timeline in flat arrays, ordered by their begin, and where they are: one number
// stands for a tile. A hundred thousand tiles as objects would take longer to read than to draw.

(() => {
  "use strict";

  // The first place of `count` where `is` holds, which holds for all places behind it.
  const firstWhere = (count, is) => {
    let low = 0;
    for (let high = count; low < high;) {
      const middle = (low + high) >> 1;
      if (is(middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  };

  gradmill.makeTiles = timeline => {
    const events = [...(timeline?.events ?? [])].sort((a, b) => a[3] - b[3]);
    const runs = timeline?.runs ?? [];
    const count = events.length;
    const lane = Int32Array.from(events, event => event[0]);
    const node = Int32Array.from(events, event => event[1]);
    const tile = Int32Array.from(events, event => event[2]);
    const begin = Float64Array.from(events, event => event[3]);
    const end = Float64Array.from(events, event => event[3] + event[4]);

    const names = [...(timeline?.lanes ?? [])];
    const laneCount = lane.reduce((most, number) => Math.max(most, number + 1), names.length);
    while (names.length < laneCount) names.push(`worker ${names.length}`);

    const lanes = names.map(name => ({name, tiles: [], reach: []}));
    for (let id = 0; id < count; ++id) {
      const {tiles, reach} = lanes[lane[id]];
      reach.push(Math.max(end[id], reach.at(-1) ?? -Infinity));  // never falls, as ends might
      tiles.push(id);
    }

    const firstEndingAfter = ({tiles, reach}, time) =>
      firstWhere(tiles.length, place => reach[place] > time);

    const runAt = time => runs[firstWhere(runs.length, k => runs[k].begin_us > time) - 1] ?? null;

    return {
      count, lane, node, tile, begin, end, lanes, runs, runAt, firstEndingAfter,
      first: Math.min(runs[0]?.begin_us ?? Infinity, begin[0] ?? Infinity),
      last: Math.max(runs.at(-1)?.end_us ?? 0, ...lanes.map(({reach}) => reach.at(-1) ?? 0)),

      // The tile of a lane at a time, or one that misses it by less than `slack`.
      at(number, time, slack) {
        const {tiles} = lanes[number];
        let best = null, least = slack;
        for (let k = firstEndingAfter(lanes[number], time - slack); k < tiles.length; ++k) {
          const id = tiles[k];
          if (begin[id] > time + slack) break;
          const miss = Math.max(begin[id] - time, time - end[id], 0);
          if (miss > least || (best !== null && miss === least)) continue;
          [best, least] = [id, miss];
          if (miss === 0) break;
        }
        return best;
      },

      // The next tile (step 1) or the one before (step -1) whose node is wanted, from `id` on, and
      // from the other end when none is left. Tiles of the same node in the same run are skipped.
      next(id, step, wanted) {
        const from = id ?? (step > 0 ? -1 : count);
        const run = id === null ? null : runAt(begin[id]);
        for (let k = 1; k <= count; ++k) {
          const other = (((from + step * k) % count) + count) % count;
          if (!wanted(node[other])) continue;
          if (id !== null && other !== id && node[other] === node[id] &&
              runAt(begin[other]) === run) continue;
          return other;
        }
        return null;
      },
    };
  };

  // The critical path as tiles: a step a node, each with all its tiles of that run.
  gradmill.criticalSteps = (path, tiles) => {
    const run = tiles.runs.find(candidate => candidate.run === path?.run);
    if (!run) return {run: null, steps: []};
    const ofNode = new Map((path.nodes ?? []).map(({index}) => [index, []]));
    for (let id = 0; id < tiles.count; ++id) {
      const inside = tiles.begin[id] >= run.begin_us && tiles.begin[id] < run.end_us;
      if (inside) ofNode.get(tiles.node[id])?.push(id);
    }
    const steps = (path.nodes ?? []).map(({index}) => ofNode.get(index))
      .filter(ids => ids.length > 0)
      .map(ids => ({ids, first: ids[0],
        last: ids.reduce((a, b) => tiles.end[b] > tiles.end[a] ? b : a)}));
    return {run, steps};
  };
})();
