// A translator's subwords: byte-pair encoding, as the package `tokenizers` applies it.

// What keyboards write by themselves, read as typed plainly where the subwords do not know it.
const TYPOGRAPHY = new Map([
  ["\u00a0", " "],
  ["\u2009", " "],
  ["\u202f", " "],
  ["\u200b", ""],
  ["\u2018", "'"],
  ["\u2019", "'"],
  ["\u201c", '"'],
  ["\u201d", '"'],
  ["\u2026", "..."],
]);
const SPACE = "\u2581"; // in a piece
const PUNCTUATION = /([\p{P}$+<=>^`|~])/u;
const SPECIAL = 4; // <pad>, <s>, </s>, <unk>

export const [START, END, UNKNOWN] = [1, 2, 3];

export class Subwords {
  /** @param {string} definition JSON of a tokenizer whose text is NFC, cut at spaces and marks */
  constructor(definition) {
    const { model, normalizer, pre_tokenizer: cut } = JSON.parse(definition);
    const kinds = [model.type, normalizer?.type, ...(cut?.pretokenizers ?? []).map(({ type }) => type)];
    if (kinds.join() !== "BPE,NFC,Metaspace,Punctuation") {
      throw new Error(`the file has subwords of another kind: ${kinds.join()}`);
    }
    this.ids = new Map(Object.entries(model.vocab));
    this.pieces = [];
    for (const [piece, id] of this.ids) this.pieces[id] = piece;
    this.ranks = new Map(model.merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
    this.widest = Math.max(...this.pieces.map((piece) => piece.length)); // characters
    this.plain = new Map([...TYPOGRAPHY].filter(([character]) => !this.ids.has(character)));
  }

  /** The ids of a text, without an end. @returns {number[]} */
  encode(text) {
    const plain = Array.from(text.toWellFormed(), (c) => this.plain.get(c) ?? c).join("");
    const marked = plain.normalize("NFC").replaceAll(" ", SPACE);
    if (!marked) return [];
    const words = (marked.startsWith(SPACE) ? marked : SPACE + marked).split(/(?=\u2581)/);
    return words
      .flatMap((word) => word.split(PUNCTUATION).filter(Boolean))
      .flatMap((part) => this.#merged([...part]))
      .map((piece) => this.ids.get(piece) ?? UNKNOWN);
  }

  /** The text of some ids. */
  decode(ids) {
    const pieces = [...ids].filter((id) => id >= SPECIAL).map((id) => this.pieces[id]);
    // The space before the first word is the encoding's own.
    return pieces.map((piece, place) => piece.replaceAll(SPACE, place ? " " : "")).join("");
  }

  /** Join the pair that was learnt first, the leftmost of it, until none is left. */
  #merged(parts) {
    for (;;) {
      let [best, at] = [Infinity, 0];
      for (let place = 0; place + 1 < parts.length; place++) {
        const rank = this.ranks.get(`${parts[place]} ${parts[place + 1]}`) ?? Infinity;
        if (rank < best) [best, at] = [rank, place];
      }
      if (best === Infinity) return parts;
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
  }
}
