// Beam search with a length penalty for one sentence, as gru_zoo/decoding/beam_search.py.
//
//     score(y) = log p(y) / ((5 + |y|) / 6) ^ alpha        (Wu et al. 2016; the end counts)

/**
 * Search the most probable sequences.
 *
 * @param {(ids: Int32Array, origin: number[]) => Promise<Float32Array>} step the last id of each
 *   beam, and the beam of the step before that each goes on from -> logits [beams * tokens]
 * @param {Object} options beams; longest, ids of a sequence with its end; start; end; alpha;
 *   banned, ids that are never chosen; wanted, asked between steps: false ends the search early
 * @returns {Promise<null | {ids: number[], score: number}[]>} at least one and at most `beams`,
 *   the best first; null if it was ended early
 */
export async function beamSearch(step, options) {
  const { beams, longest, start, end, alpha, banned, wanted } = options;
  const penalty = (length) => ((5 + length) / 6) ** alpha;
  const finished = [];
  // All beams begin alike: only one of them counts.
  let kept = Array.from({ length: beams }, (_, beam) => {
    return { origin: beam, ids: [], last: start, logp: beam ? -Infinity : 0 };
  });
  for (let length = 1; ; length++) {
    const last = Int32Array.from(kept, (beam) => beam.last);
    const logits = await step(last, kept.map(({ origin }) => origin));
    if (!wanted()) return null;
    const going = [];
    for (const next of bestNext(kept, logits, banned)) {
      const { origin, token, logp } = next;
      const { ids } = kept[origin];
      if (token === end) finished.push({ ids, score: logp / penalty(length) });
      else going.push({ origin, ids: [...ids, token], last: token, logp });
    }
    kept = going.slice(0, beams);
    const [{ ids, logp }] = kept;
    if (length === longest && !finished.length) finished.push({ ids, score: logp / penalty(length) });
    const best = Math.max(...finished.map(({ score }) => score));
    // A beginning's log-probability can only fall, and its penalty is largest at the end.
    if (length === longest || best >= logp / penalty(longest)) break;
  }
  return finished.sort((one, other) => other.score - one.score).slice(0, beams);
}

/** The best continuations of all beams: twice as many as beams, of which so many do not end. */
function bestNext(kept, logits, banned) {
  const count = 2 * kept.length;
  const tokens = logits.length / kept.length;
  const found = kept.flatMap((beam, origin) => {
    if (beam.logp === -Infinity) return [];
    const row = logits.subarray(origin * tokens, (origin + 1) * tokens);
    const all = beam.logp - logSumExp(row);
    for (const token of banned) row[token] = -Infinity;
    return largest(row, count).map((token) => ({ origin, token, logp: all + row[token] }));
  });
  return found.sort((one, other) => other.logp - one.logp).slice(0, count);
}

function logSumExp(row) {
  const most = row.reduce((one, other) => Math.max(one, other));
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** The places of the largest values, in their order. */
function largest(row, count) {
  const places = [];
  let least = -Infinity;
  for (let place = 0; place < row.length; place++) {
    if (places.length === count && row[place] <= least) continue;
    let at = places.length;
    while (at && row[places[at - 1]] < row[place]) at--;
    places.splice(at, 0, place);
    places.length = Math.min(places.length, count);
    least = row[places.at(-1)];
  }
  return places;
}
