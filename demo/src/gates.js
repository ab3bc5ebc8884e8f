// The gates of a text: as a heat map under its words, as a table, and in words.

const LONGEST = 24; // letters of a word in a sentence

/** Mean of an array of numbers. */
export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * Two or three sentences on a text's gates, all layers together.
 *
 * @param {string[]} tokens the first being the start mark
 * @param steps what `Stream.read` gave for them
 * @param {string[]} labels
 */
export function describe(tokens, steps, labels) {
  if (tokens.length < 2) return "Type a word, and the gates are drawn under it.";
  const words = tokens.map((token, place) => {
    const layers = Object.values(steps[place].gates);
    const [z, r] = ["z", "r"].map((gate) => mean(layers.map((layer) => mean(layer[gate]))));
    return { token, z, r, label: labels[largest(steps[place].probabilities)] };
  });
  const read = words.slice(1); // what the start mark does is not the text's
  const least = (gate) => read.reduce((low, word) => (word[gate] < low[gate] ? word : low));
  const [written, reset] = [least("z"), least("r")];
  let settled = words.length - 1;
  while (settled > 0 && words[settled - 1].label === words.at(-1).label) settled--;
  const when =
    settled > 0
      ? `since ${quoted(words[settled].token)}, word ${settled} of ${read.length}`
      : "from the start";
  return (
    `The update gate keeps ${percent(mean(read.map((word) => word.z)))} of the state on average, ` +
    `least at ${quoted(written.token)} (${percent(written.z)}), where most is written. ` +
    `The reset gate shows the candidate ${percent(mean(read.map((word) => word.r)))} of it, ` +
    `least at ${quoted(reset.token)} (${percent(reset.r)}). ` +
    `The answer has been ${words.at(-1).label} ${when}.`
  );
}

/** A word for a sentence: short, and isolated, so that only the word is read from the right. */
function quoted(token) {
  const letters = [...token];
  const brief = letters.length > LONGEST ? `${letters.slice(0, LONGEST - 1).join("")}…` : token;
  return `\u2068“${brief}”\u2069`;
}

/** Place of the largest of some numbers. */
export function largest(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}

/** Draws columns of one pixel a unit under words; only what changed is drawn anew. */
export class HeatMap {
  /** @param {HTMLElement} element to fill */
  constructor(element) {
    this.element = element;
    this.drawn = [];
  }

  draw(tokens, known, steps) {
    const color = getComputedStyle(document.documentElement);
    const colors = { z: color.getPropertyValue("--z"), r: color.getPropertyValue("--r") };
    const key = JSON.stringify(colors);
    let same = 0;
    const { drawn } = this;
    while (
      same < Math.min(drawn.length, steps.length) &&
      drawn[same].step === steps[same] &&
      drawn[same].token === tokens[same] &&
      drawn[same].key === key
    ) {
      same++;
    }
    drawn.length = same;
    const columns = steps.slice(same).map((step, offset) => {
      const place = same + offset;
      drawn.push({ step, token: tokens[place], key });
      return column(tokens[place], known[place], step, colors);
    });
    while (this.element.childElementCount > same) this.element.lastElementChild.remove();
    this.element.append(...columns);
  }
}

function column(token, known, step, colors) {
  const span = document.createElement("span");
  const word = document.createElement("b");
  word.textContent = token;
  word.dir = "auto";
  word.classList.toggle("unknown", !known);
  span.append(word);
  for (const { z, r } of Object.values(step.gates)) {
    span.append(strip(z, colors.z), strip(r, colors.r));
  }
  return span;
}

function strip(values, color) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [1, values.length];
  const image = new ImageData(1, values.length);
  const [red, green, blue] = color.trim().split(" ").map(Number);
  values.forEach((value, unit) => {
    image.data.set([red, green, blue, Math.round(255 * value)], 4 * unit);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** Fill a table: a row a word, the mean of each gate and each label's probability so far. */
export function tabulate(head, rows, tokens, steps, labels) {
  const layers = Object.keys(steps[0].gates);
  const names = layers.flatMap((layer) => {
    return ["z", "r"].map((gate) => (layers.length > 1 ? `${layer} ${gate}` : gate));
  });
  const cells = steps.map(({ gates, probabilities }) => [
    ...Object.values(gates).flatMap(({ z, r }) => [mean(z), mean(r)]),
    ...probabilities,
  ]);
  head.replaceChildren(...["word", ...names, ...labels].map((name) => cell("th", name, "col")));
  rows.replaceChildren(
    ...cells.map((numbers, place) => {
      const row = document.createElement("tr");
      row.append(cell("th", tokens[place], "row"));
      row.append(...numbers.map((number) => cell("td", number.toFixed(3))));
      return row;
    }),
  );
}

function cell(kind, text, scope) {
  const element = document.createElement(kind);
  element.textContent = text;
  if (scope) element.scope = scope;
  return element;
}
