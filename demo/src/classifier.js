// One model file: opened, described by itself, run.

import { download } from "./download.js";
import { readMetadata } from "./metadata.js";
import { compile, Tensor } from "./runtime.js";
import { closeShapes } from "./shapes.js";
import { Stream } from "./stream.js";
import { WordTokenizer } from "./tokenizer.js";

export class Classifier {
  /**
   * @param {{path: string, sha256: string, bytes: number}} file of the presets
   * @param {URL} folder that the path begins in
   * @param {AbortSignal} [signal] ends the download
   */
  static async open(file, folder, signal) {
    const bytes = await download(file, folder, signal);
    const about = await readMetadata(bytes);
    closeShapes(bytes);
    return new Classifier(await compile(new Uint8Array(bytes)), about);
  }

  constructor(model, { labels, vocabulary, pattern }) {
    this.model = model;
    this.labels = labels;
    this.whole = model.signatures.serving_default ?? model.defaultSignature;
    const [{ shape }] = this.whole.getInputDetails();
    this.tokenizer = new WordTokenizer(vocabulary, pattern, shape[1]);
    this.stream = model.signatures.step ? new Stream(model.signatures.step) : null;
  }

  /** Probabilities of the labels for ids [length], and how long the model took. */
  async classify(ids) {
    const [{ name }] = this.whole.getInputDetails();
    const input = new Tensor(ids, [1, ids.length]);
    const start = performance.now();
    const [output] = Object.values(await this.whole.run({ [name]: input }));
    const milliseconds = performance.now() - start;
    const probabilities = output.toTypedArray();
    output.delete();
    input.delete();
    return { probabilities, milliseconds };
  }

  delete() {
    this.stream?.delete();
    this.model.delete();
  }
}
