// Next words from a language model's file, a word a call, all of it in the page.

import { download } from "./download.js";
import { compile } from "./runtime.js";
import { closeShapes } from "./shapes.js";
import { Stream } from "./stream.js";
import { readVocabulary, SPECIAL, WordTokenizer } from "./tokenizer.js";
import { entries, textOf } from "./zip.js";

const START = 1;
const WINDOW = 100; // words: of a long text the last one to two hundred are read

export class Suggester {
  /**
   * @param {{path: string, sha256: string, bytes: number}} file of the list of models
   * @param {URL} folder that the path begins in
   * @param {AbortSignal} [signal] ends the download
   */
  static async open(file, folder, signal) {
    const bytes = await download(file, folder, signal);
    const files = entries(bytes);
    const vocabulary = await readVocabulary(files);
    const pattern = await textOf(files, "delimiter.txt");
    closeShapes(bytes);
    return new Suggester(await compile(new Uint8Array(bytes)), vocabulary, pattern);
  }

  constructor(model, vocabulary, pattern) {
    this.model = model;
    this.tokenizer = new WordTokenizer(vocabulary, pattern, Infinity);
    this.stream = new Stream(model.signatures.step);
    this.words = [];
    // A word comes before its other spellings.
    for (const [spelling, id] of vocabulary) this.words[id] ??= spelling;
  }

  /**
   * The most probable words at the end of a text.
   *
   * @param {string} text its last word is completed, unless something stands behind it
   * @param {number} count how many
   * @param {() => boolean} wanted asked between words; false ends the reading early
   * @returns {Promise<null | {prefix: string, words: {word: string, probability: number}[]}>}
   *   what is typed of the last word, and the whole words; null if it was ended early
   */
  async suggest(text, count, wanted) {
    // The letter joins a word that has begun, or is one of its own.
    const parts = this.tokenizer.split(`${text.replaceAll("\0", " ")}x`);
    const prefix = parts.pop().slice(0, -1);
    const first = Math.max(0, Math.floor(parts.length / WINDOW) - 1) * WINDOW;
    const ids = [START, ...parts.slice(first).map((word) => this.tokenizer.id(word))];
    const steps = await this.stream.read(Int32Array.from(ids), wanted);
    return steps && { prefix, words: this.#best(steps.at(-1).probabilities, prefix, count) };
  }

  #best(probabilities, prefix, count) {
    const begun = fold(prefix);
    const found = [];
    for (let id = SPECIAL; id < probabilities.length; id++) {
      const word = this.words[id];
      if (word.length > prefix.length && fold(word).startsWith(begun)) found.push(id);
    }
    found.sort((a, b) => probabilities[b] - probabilities[a]);
    return found.slice(0, count).map((id) => ({
      word: prefix + this.words[id].slice(prefix.length), // typed letters stay as they are
      probability: probabilities[id],
    }));
  }

  delete() {
    this.stream.delete();
    this.model.delete();
  }
}

function fold(word) {
  return word.toLowerCase().replaceAll("\u2019", "'");
}
