// The page: what is chosen and typed goes to the model, what it says goes onto the page.

import { describe, HeatMap, largest, tabulate } from "./gates.js";
import {
  begin,
  byId,
  Choice,
  element,
  Latency,
  latestOnly,
  listen,
  MODELS,
  opener,
  release,
  speak,
  withLiteRt,
} from "./page.js";

const text = byId("text");
const map = new HeatMap(byId("map"));

let choice;
let model = null; // an open Classifier
let latency = new Latency();
let shown = null; // tokens and steps of the gates on the page

const openChosen = opener(open, forget, () => choice.file);

const answer = latestOnly(async (wanted) => {
  await openChosen();
  const encoded = model.tokenizer.encode(text.value);
  const lack = lackOf(encoded, text.value);
  byId("note").textContent = lack || noteOn(encoded);
  const { probabilities, milliseconds } = await model.classify(encoded.ids);
  latency.add(milliseconds);
  showAnswer(probabilities, lack);
  if (model.stream) await showGates(encoded, wanted);
  byId("problem").hidden = true;
});

async function open(file, signal) {
  const { Classifier } = await withLiteRt("./classifier.js");
  model = await Classifier.open(file, MODELS, signal);
  latency = new Latency();
  await model.classify(model.tokenizer.encode(text.value).ids); // the first run sets up kernels
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("accuracy").textContent = `${file.score === null ? "not measured" : `${(100 * file.score).toFixed(2)} %`} on ${file.scored_on}`;
  if (!model.stream) {
    byId("gates-summary").textContent =
      "This file has no step signature, so it cannot be read word by word.";
  }
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  const open = model;
  model = null;
  byId("answer").replaceChildren();
  for (const id of ["latency", "size", "accuracy"]) byId(id).textContent = "";
  hideGates();
  release(open);
}

/** Why there is nothing to answer; "" if there is something. */
function lackOf({ tokens }, typed) {
  if (tokens.length > 1) return "";
  return typed.trim() ? "No word that the model reads" : "No text";
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

function showAnswer(probabilities, lack) {
  const first = largest(probabilities);
  byId("answer").replaceChildren(
    ...model.labels.map((label, place) => {
      const row = document.createElement("div");
      row.classList.toggle("first", !lack && place === first);
      const bar = element("dd", "");
      bar.className = "bar";
      bar.style.setProperty("--share", lack ? 0 : probabilities[place]);
      const share = lack ? "–" : `${(100 * probabilities[place]).toFixed(1)} %`;
      row.append(element("dt", label), bar, element("dd", share));
      row.dataset.probability = probabilities[place];
      return row;
    }),
  );
  latency.show(1);
  speak(lack || `${model.labels[first]}, ${Math.round(100 * probabilities[first])} percent`);
}

async function showGates({ ids, tokens, known }, wanted) {
  markGates(true);
  const steps = await model.stream.read(ids.slice(0, tokens.length), wanted).catch((error) => {
    hideGates();
    throw error;
  });
  if (!steps) return; // They are still of an older text.
  markGates(false);
  shown = { tokens: ["start", ...tokens.slice(1)], known, steps };
  byId("gates").hidden = false;
  byId("gates-summary").textContent = describe(shown.tokens, steps, model.labels);
  draw();
}

function hideGates() {
  byId("gates").hidden = true;
  byId("gates-summary").textContent = "";
  shown = null;
  markGates(false);
}

/** Mark the gates as those of an older text, or as those of the one that is answered. */
function markGates(old) {
  for (const id of ["gates", "gates-summary"]) byId(id).setAttribute("aria-busy", old);
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
  listen(answer);
  byId("numbers").addEventListener("toggle", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  await answer();
}

begin(start);
