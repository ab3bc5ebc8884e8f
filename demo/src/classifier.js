// One model file: opened, described by itself, run.

import { readMetadata } from "./metadata.js";
import { compile, Tensor } from "./runtime.js";
import { closeShapes } from "./shapes.js";
import { Stream } from "./stream.js";
import { WordTokenizer } from "./tokenizer.js";

export class Classifier {
  /**
   * @param {{path: string, sha256: string, bytes: number}} file of the presets
   * @param {URL} folder that the path begins in
   */
  static async open(file, folder) {
    const response = await fetch(new URL(file.path, folder));
    if (!response.ok) throw new Error(`${file.path}: the server answered ${response.status}`);
    const bytes = await response.arrayBuffer();
    await check(bytes, file);
    const about = readMetadata(bytes);
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

async function check(bytes, { path, sha256 }) {
  // Browsers offer hashes on localhost and over https only.
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== sha256) throw new Error(`${path} is not the file that presets.json speaks of`);
}
