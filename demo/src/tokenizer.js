// Text to word ids, id for id as gru_zoo/text/tokenizers.py and MediaPipe's RegexTokenizer make them.

const START = "<START>";
const UNKNOWN = "<UNKNOWN>";

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

/** Spelling -> id, from the lines of a vocabulary file. */
export function readVocabulary(text) {
  const lines = text.split("\n").slice(0, -1);
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
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
