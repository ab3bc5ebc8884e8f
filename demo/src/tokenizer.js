// Text to word ids, id for id as gru_zoo/text/tokenizers.py and MediaPipe's RegexTokenizer make them.

import { textOf } from "./zip.js";

const START = "<START>";
const UNKNOWN = "<UNKNOWN>";
export const SPECIAL = 3; // ids before the first word's

/**
 * The JavaScript form of the RE2 pattern in a model's file.
 *
 * RE2 has inline flags and \x{...}, and its \s knows six characters less than JavaScript's.
 */
export function fromRe2(pattern) {
  const eitherCase = (part) =>
    part.replace(/\\.|[a-z]/gi, (c) => {
      return c.length > 1 ? c : `[${c.toLowerCase()}${c.toUpperCase()}]`;
    });
  const source = pattern
    .replace(/\(\?i:((?:[^()\\]|\\.)*)\)/g, (_, part) => `(?:${eitherCase(part)})`)
    .replace(/\\x\{/g, "\\u{")
    .replace(/\\s/g, "[\\t\\n\\f\\r ]")
    // A capture would become part of what `split` returns.
    .replace(/(\\.)|\((?!\?)/g, (_, escaped) => escaped ?? "(?:");
  return new RegExp(source, "u");
}

/**
 * Spelling -> id, a word before its other spellings.
 *
 * @param {Map<string, {method: number, bytes: Uint8Array}>} files in the archive of a model's file:
 *   words.txt, a word a line, or vocab.txt, a spelling and its id a line
 */
export async function readVocabulary(files) {
  if (files.has("words.txt")) {
    return withSpellings((await textOf(files, "words.txt")).split("\n").slice(0, -1));
  }
  const lines = (await textOf(files, "vocab.txt")).split("\n").slice(0, -1);
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Spelling -> id of words that stand for Word and WORD too, all with either apostrophe. */
export function withSpellings(words) {
  const ids = new Map(words.map((word, id) => [word, id]));
  for (const [id, word] of words.entries()) {
    if (id < SPECIAL) continue;
    const cased = [word, capitalized(word), word.toUpperCase()];
    const curly = cased.map((form) => form.replaceAll("'", "\u2019"));
    for (const form of [...cased, ...curly]) if (!ids.has(form)) ids.set(form, id);
  }
  return ids;
}

/** As Python's str.capitalize: of two letters that one becomes, the second stays small. */
function capitalized(word) {
  const [first] = word;
  const [head, ...tail] = first.toUpperCase();
  return head + (tail.join("") + word.slice(first.length)).toLowerCase();
}

export class WordTokenizer {
  /**
   * @param {Map<string, number>} vocabulary a spelling's id
   * @param {string} pattern RE2 pattern of what stands between words
   * @param {number} length number of ids a text becomes
   */
  constructor(vocabulary, pattern, length) {
    this.vocabulary = vocabulary;
    this.delimiter = fromRe2(pattern);
    this.length = length;
  }

  /** The words of a text. */
  split(text) {
    // As UTF-8 would carry it: a half of a surrogate pair becomes U+FFFD.
    const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
      new TextEncoder().encode(text),
    );
    return whole.split("\0", 1)[0].split(this.delimiter).filter(Boolean);
  }

  /** The id of a word. */
  id(word) {
    return this.vocabulary.get(word) ?? this.vocabulary.get(UNKNOWN);
  }

  /**
   * @returns {{ids: Int32Array, tokens: string[], known: boolean[], unread: number}}
   *   ids [length], zeros on the right; what each id but those zeros stands for; whether the
   *   vocabulary has it; and how many words were too many.
   */
  encode(text) {
    const words = this.split(text);
    const tokens = [START, ...words.slice(0, this.length - 1)];
    const ids = new Int32Array(this.length);
    tokens.forEach((token, place) => {
      ids[place] = this.id(token);
    });
    const known = tokens.map((token) => this.vocabulary.has(token));
    return { ids, tokens, known, unread: words.length + 1 - tokens.length };
  }
}
