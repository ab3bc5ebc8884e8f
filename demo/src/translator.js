// A translator's two files, its encoder and its decoder's step, and the search around them.

import { beamSearch } from "./beam-search.js";
import { download } from "./download.js";
import { compile, Tensor } from "./runtime.js";
import { withSizes } from "./shapes.js";
import { END, START, Subwords, UNKNOWN } from "./subwords.js";
import { entries, textOf } from "./zip.js";

const MEMORY = ["keys", "values"]; // of the encoder, one row a subword
const STATE = "state_";
const BANNED = [0, START, UNKNOWN];

export class Translator {
  /**
   * @param {{encoder: Object, decoder: Object}} file of the list of models, with path, sha256 and
   *   bytes of both
   * @param {{beams: number, alpha: number}} search of the list of models
   * @param {URL} folder that the paths begin in
   * @param {AbortSignal} [signal] ends the download
   */
  static async open(file, search, folder, signal) {
    const both = [file.encoder, file.decoder].map((part) => download(part, folder, signal));
    const [encoder, decoder] = await Promise.all(both);
    const { definition, longest } = JSON.parse(await textOf(entries(encoder), "subwords.json"));
    return new Translator(encoder, decoder, new Subwords(definition), longest, search);
  }

  constructor(encoder, decoder, subwords, longest, { beams, alpha }) {
    Object.assign(this, { encoder, decoder, subwords, longest, beams, alpha });
  }

  /**
   * Translate a sentence.
   *
   * @param {string} text
   * @param {() => boolean} wanted asked between steps; false ends the search early
   * @returns {Promise<null | {texts: string[], cut: boolean}>} translations, the best first, none
   *   where the model knows no character; and whether the end was too much to read. Null if it was
   *   ended early.
   */
  async translate(text, wanted) {
    // What is behind these characters cannot be among the subwords that are read.
    const all = this.subwords.encode(text.slice(0, this.subwords.widest * (this.longest + 1)));
    const ids = all.slice(0, this.longest);
    const cut = all.length > ids.length;
    if (!this.subwords.decode(ids).trim()) return { texts: [], cut };
    const source = Int32Array.of(...ids, END);
    // LiteRT.js cannot resize inputs: compiled anew, which takes milliseconds, they have the size.
    const size = (name) => (MEMORY.includes(name) ? source.length : this.beams);
    const memory = await this.#read(source);
    const step = new Step(await compile(withSizes(this.decoder, size)), memory, this.beams);
    try {
      const found = await beamSearch((last, origin) => step.run(last, origin), {
        beams: this.beams,
        longest: 2 * ids.length + 10,
        start: START,
        end: END,
        alpha: this.alpha,
        banned: BANNED,
        wanted,
      });
      if (!found) return null;
      const texts = found.map((one) => this.subwords.decode(one.ids));
      return { texts: [...new Set(texts)], cut };
    } finally {
      step.delete();
    }
  }

  /** Keys and values of a source, as tensors. */
  async #read(source) {
    const model = await compile(withSizes(this.encoder, () => source.length));
    const input = new Tensor(source, [1, source.length]);
    try {
      return await model.signatures.encoder.run({ ids: input });
    } finally {
      input.delete();
      model.delete();
    }
  }
}

/** The decoder's step for the beams of one sentence; keeps their states. */
class Step {
  constructor(model, memory, beams) {
    this.model = model;
    this.memory = memory;
    this.beams = beams;
    this.signature = model.signatures.decoder;
    const states = this.signature.getInputDetails().filter(({ name }) => name.startsWith(STATE));
    this.sizes = Object.fromEntries(states.map(({ name, shape }) => [name, shape.at(-1)]));
    this.states = Object.fromEntries(
      states.map(({ name }) => [name, new Float32Array(beams * this.sizes[name])]),
    );
  }

  /** Logits [beams * tokens] after the last id of each beam, which goes on from `origin`. */
  async run(last, origin) {
    const given = { ids: new Tensor(last, [1, this.beams]) };
    for (const [name, size] of Object.entries(this.sizes)) {
      const moved = new Float32Array(this.beams * size);
      origin.forEach((from, beam) => {
        moved.set(this.states[name].subarray(from * size, (from + 1) * size), beam * size);
      });
      given[name] = new Tensor(moved, [1, this.beams, size]);
    }
    const outputs = await this.signature.run({ ...given, ...this.memory });
    Object.values(given).forEach((tensor) => tensor.delete());
    const values = Object.entries(outputs).map(([name, tensor]) => {
      const array = Float32Array.from(tensor.toTypedArray());
      tensor.delete();
      return [name, array];
    });
    const { logits, ...states } = Object.fromEntries(values);
    this.states = states;
    return logits;
  }

  delete() {
    Object.values(this.memory).forEach((tensor) => tensor.delete());
    this.model.delete();
  }
}
