// The page: what is chosen and typed goes to the model, what it says goes onto the page.

import { describe, HeatMap, largest, tabulate } from "./gates.js";

const MODELS = new URL("../models/", import.meta.url);
const RECENT = 25; // runs that the latency is the median of
const SPEAK_AFTER = 700; // milliseconds without typing until a screen reader hears the answer

const byId = (id) => document.getElementById(id);
const [preset, variants, text, problem] = ["preset", "variants", "text", "problem"].map(byId);
const map = new HeatMap(byId("map"));

let presets = [];
let model = null; // an open Classifier
let times = [];
let shown = null; // tokens and steps of the gates on the page
let speaking;

/** Run `task` again and again until nothing has changed while it ran; never twice at once. */
function latestOnly(task) {
  let running = false;
  let asked = false;
  return async () => {
    asked = true;
    byId("form").dataset.state = "busy";
    if (running) return;
    running = true;
    while (asked) {
      asked = false;
      await task(() => !asked).catch(complain);
    }
    running = false;
    byId("form").dataset.state = "done";
  };
}

function complain(error) {
  problem.textContent = `This does not work: ${error.message}.`;
  problem.hidden = false;
  byId("note").textContent = "";
}

const answer = latestOnly(async (wanted) => {
  const file = chosenFile();
  if (model?.file !== file) await open(file);
  const encoded = model.tokenizer.encode(text.value);
  byId("note").textContent = noteOn(encoded);
  const { probabilities, milliseconds } = await model.classify(encoded.ids);
  times = [...times, milliseconds].slice(-RECENT);
  showAnswer(probabilities, encoded.tokens.length > 1);
  if (model.stream) await showGates(encoded, wanted);
  problem.hidden = true;
});

async function open(file) {
  byId("note").textContent = "Loading the model …";
  const { Classifier } = await import("./classifier.js").catch(() => {
    throw new Error("LiteRT.js is missing; `npm install --ignore-scripts` in demo/ brings it");
  });
  const opened = await Classifier.open(file, MODELS);
  model?.delete();
  model = Object.assign(opened, { file });
  times = [];
  await model.classify(model.tokenizer.encode(text.value).ids); // the first run sets up kernels
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  const { scored_on: split } = chosenPreset();
  byId("accuracy").textContent = `${(100 * file.accuracy).toFixed(2)} % on ${split}`;
  if (!model.stream) {
    byId("gates").hidden = true;
    byId("gates-summary").textContent =
      "This file has no step signature, so it cannot be read word by word.";
  }
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

function element(kind, content) {
  const made = document.createElement(kind);
  made.append(content);
  return made;
}

function chosenPreset() {
  return presets.find(({ name }) => name === preset.value);
}

function chosenFile() {
  const variant = variants.querySelector("input:checked").value;
  return chosenPreset().files.find((file) => file.variant === variant);
}

/** Show the variants of the chosen preset, keeping the choice where there is the same one. */
function offerVariants() {
  const { files, summary } = chosenPreset();
  const before = variants.querySelector("input:checked")?.value;
  const chosen = files.find(({ variant }) => variant === before) ?? files[0];
  byId("summary").textContent = summary;
  const labels = files.map((file) => {
    const input = Object.assign(document.createElement("input"), {
      type: "radio",
      name: "variant",
      value: file.variant,
      checked: file === chosen,
    });
    const label = element("label", input);
    label.append(file.variant);
    return label;
  });
  variants.replaceChildren(variants.querySelector("legend"), ...labels);
}

async function start() {
  const response = await fetch(new URL("presets.json", MODELS));
  if (!response.ok) {
    throw new Error("there is no models/presets.json; `python -m gru_zoo.demo` makes it");
  }
  presets = await response.json();
  preset.append(...presets.map(({ name }) => new Option(name, name)));
  offerVariants();
  preset.disabled = variants.disabled = false;
  // On `input`, which reaches the form after this: the answer needs the new variants.
  preset.addEventListener("input", offerVariants);
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
