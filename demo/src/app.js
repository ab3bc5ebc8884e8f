// The page: what is chosen and typed goes to the model, what it says goes onto the page.

import { describe, HeatMap, largest, tabulate } from "./gates.js";
import { byId, Choice, complain, element, latestOnly, MODELS, withLiteRt } from "./page.js";

const RECENT = 25; // runs that the latency is the median of
const SPEAK_AFTER = 700; // milliseconds without typing until a screen reader hears the answer

const text = byId("text");
const map = new HeatMap(byId("map"));

let choice;
let model = null; // an open Classifier
let times = [];
let shown = null; // tokens and steps of the gates on the page
let speaking;

const answer = latestOnly(async (wanted) => {
  const { file } = choice;
  if (model?.file !== file) {
    await open(file).catch((error) => {
      forget();
      throw error;
    });
  }
  const encoded = model.tokenizer.encode(text.value);
  byId("note").textContent = noteOn(encoded);
  const { probabilities, milliseconds } = await model.classify(encoded.ids);
  times = [...times, milliseconds].slice(-RECENT);
  showAnswer(probabilities, encoded.tokens.length > 1);
  if (model.stream) await showGates(encoded, wanted);
  byId("problem").hidden = true;
});

async function open(file) {
  byId("note").textContent = "Loading the model …";
  const { Classifier } = await withLiteRt("./classifier.js");
  const opened = await Classifier.open(file, MODELS);
  model?.delete();
  model = Object.assign(opened, { file });
  times = [];
  await model.classify(model.tokenizer.encode(text.value).ids); // the first run sets up kernels
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("accuracy").textContent = `${(100 * file.score).toFixed(2)} % on ${file.scored_on}`;
  if (!model.stream) {
    byId("gates").hidden = true;
    byId("gates-summary").textContent =
      "This file has no step signature, so it cannot be read word by word.";
  }
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  model?.delete();
  model = null;
  byId("answer").replaceChildren();
  for (const id of ["latency", "size", "accuracy", "gates-summary"]) byId(id).textContent = "";
  byId("gates").hidden = true;
  shown = null;
}

function noteOn({ tokens, known, unread }) {
  const count = tokens.length - 1;
  const strange = known.filter((value) => !value).length;
  return [
    `${count} ${count === 1 ? "word" : "words"}`,
    strange ? `, ${strange} not in the vocabulary` : "",
    unread ? `; ${unread} more at the end are not read` : "",
  ].join("");
}

function showAnswer(probabilities, something) {
  const first = largest(probabilities);
  byId("answer").replaceChildren(
    ...model.labels.map((label, place) => {
      const row = document.createElement("div");
      row.classList.toggle("first", something && place === first);
      const bar = element("dd", "");
      bar.className = "bar";
      bar.style.setProperty("--share", something ? probabilities[place] : 0);
      const share = something ? `${(100 * probabilities[place]).toFixed(1)} %` : "–";
      row.append(element("dt", label), bar, element("dd", share));
      row.dataset.probability = probabilities[place];
      return row;
    }),
  );
  const median = [...times].sort((a, b) => a - b)[times.length >> 1];
  const runs = times.length > 1 ? ` (median of ${times.length})` : "";
  byId("latency").textContent = `${median.toFixed(1)} ms${runs}`;
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    byId("spoken").textContent = something
      ? `${model.labels[first]}, ${Math.round(100 * probabilities[first])} percent`
      : "No text";
  }, SPEAK_AFTER);
}

async function showGates({ ids, tokens, known }, wanted) {
  const steps = await model.stream.read(ids.slice(0, tokens.length), wanted);
  if (!steps) return;
  shown = { tokens: ["start", ...tokens.slice(1)], known, steps };
  byId("gates").hidden = false;
  byId("gates-summary").textContent = describe(shown.tokens, steps, model.labels);
  draw();
}

function draw() {
  if (!shown) return;
  map.draw(shown.tokens, shown.known, shown.steps);
  if (byId("numbers").open) {
    tabulate(byId("head"), byId("rows"), shown.tokens, shown.steps, model.labels);
  }
}

async function start() {
  choice = await Choice.of("presets.json");
  byId("form").addEventListener("input", answer);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    text.value = "";
    text.focus();
    answer();
  });
  byId("numbers").addEventListener("toggle", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  await answer();
}

start().catch(complain);
