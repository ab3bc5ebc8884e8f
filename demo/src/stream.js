// The signature `step`: one word a call, every state in and out by name.

import { Tensor } from "./runtime.js";

const STATE = "state_";

/** Reads ids one after the other, and keeps the state after each: an edit resumes where it is. */
export class Stream {
  /** @param signature the compiled model's `step` */
  constructor(signature) {
    this.signature = signature;
    this.ids = [];
    this.steps = [];
    this.states = [this.#initial()];
    const outputs = signature.getOutputDetails().map(({ name }) => name);
    this.layers = outputs.filter((name) => name.endsWith("_z")).map((name) => name.slice(0, -2));
  }

  /**
   * Read a text from where it differs from the one before.
   *
   * @param {Int32Array} ids without padding
   * @param {() => boolean} wanted asked between words; false ends the reading early
   * @returns {Promise<null | {probabilities: Float32Array, gates: Object}[]>} for each id the
   *   answer so far and layer -> {z, r}; null if it was ended early
   */
  async read(ids, wanted) {
    let same = 0;
    while (same < this.ids.length && same < ids.length && this.ids[same] === ids[same]) same++;
    this.#forget(same);
    let pause = performance.now() + 12;
    for (const id of ids.slice(same)) {
      await this.#step(id);
      if (performance.now() > pause) {
        await new Promise((resume) => setTimeout(resume)); // let the page answer the keyboard
        pause = performance.now() + 12;
      }
      if (!wanted()) return null;
    }
    return [...this.steps];
  }

  delete() {
    this.#forget(0);
    for (const tensor of Object.values(this.states[0])) tensor.delete();
  }

  #initial() {
    const states = this.signature.getInputDetails().filter(({ name }) => name.startsWith(STATE));
    return Object.fromEntries(
      states.map(({ name, shape }) => {
        const size = shape.reduce((product, length) => product * length, 1);
        // A running maximum starts below every value that a GRU can take.
        const before = new Float32Array(size).fill(name.endsWith("max") ? -1 : 0);
        return [name, new Tensor(before, [...shape])];
      }),
    );
  }

  async #step(id) {
    const state = this.states.at(-1);
    const input = new Tensor(new Int32Array([id]), [1]);
    const outputs = await this.signature.run({ ids: input, ...state });
    input.delete();
    const next = Object.fromEntries(Object.keys(state).map((name) => [name, outputs[name]]));
    const take = (name) => {
      const values = outputs[name].toTypedArray();
      outputs[name].delete();
      return values;
    };
    const gates = this.layers.map((layer) => [layer, { z: take(`${layer}_z`), r: take(`${layer}_r`) }]);
    this.ids.push(id);
    this.states.push(next);
    this.steps.push({ probabilities: take("probabilities"), gates: Object.fromEntries(gates) });
  }

  /** Drop everything after the first `count` ids. */
  #forget(count) {
    this.ids.length = this.steps.length = count;
    for (const state of this.states.splice(count + 1)) {
      for (const tensor of Object.values(state)) tensor.delete();
    }
  }
}
