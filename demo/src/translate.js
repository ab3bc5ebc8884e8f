// The page of translators: each sentence that is typed goes to the model, its translation back.

import {
  begin,
  byId,
  Choice,
  element,
  latestOnly,
  listen,
  MODELS,
  opener,
  speak,
  withLiteRt,
} from "./page.js";

const RECENT = 25; // sentences that the latency is the median of
const WARM = "a";
const SAMPLES = {
  de: "Zwei Hunde spielen im Schnee.",
  en: "Where is the nearest station? I've lost my ticket.",
  fr: "Où est la gare la plus proche ? J'ai perdu mon billet.",
};

const text = byId("text");

let choice;
let model = null; // an open Translator
let languages = []; // from, to
let known = new Map(); // sentence -> its translations, of the open model
let times = [];

const openChosen = opener(open, forget, () => choice.file);

const translate = latestOnly(async (wanted) => {
  await openChosen();
  const found = new Map();
  let written = "";
  for (const { sentence, gap } of sentences(text.value)) {
    // Of a long text that is edited at its end, nothing but the end is translated again.
    const result = sentence && (known.get(sentence) ?? (await timed(sentence, wanted)));
    if (result === null) return;
    if (result) {
      known.set(sentence, result);
      found.set(sentence, result);
    }
    written += (result?.texts?.[0] ?? sentence) + gap;
    byId("translation").textContent = written;
  }
  known = found;
  show([...found.values()], written);
  byId("problem").hidden = true;
});

async function timed(sentence, wanted) {
  const start = performance.now();
  const result = await model.translate(sentence, wanted);
  if (result?.texts.length) times = [...times, performance.now() - start].slice(-RECENT);
  return result;
}

async function open(file, signal) {
  const { Translator } = await withLiteRt("./translator.js");
  const { preset } = choice;
  model = await Translator.open(file, preset, MODELS, signal);
  await model.translate(WARM, () => true); // the first run sets up kernels
  languages = preset.language;
  const named = new Intl.DisplayNames("en", { type: "language" });
  const [from, to] = languages.map((code) => named.of(code));
  byId("from").textContent = `Text in ${from}`;
  byId("to").textContent = `Translation into ${to}`;
  [text.lang, byId("translation").lang] = languages;
  byId("others").lang = languages[1];
  // What the page itself has put there is no text of the user's.
  const samples = Object.values(SAMPLES);
  if (!text.value || samples.includes(text.value)) text.value = SAMPLES[languages[0]] ?? "";
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("score").textContent = `${file.score?.toFixed(2) ?? "not measured"} on ${file.scored_on}`;
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  model = null;
  known = new Map();
  times = [];
  for (const id of ["translation", "latency", "size", "score"]) byId(id).textContent = "";
  byId("others").replaceChildren();
}

/** The sentences of a text, and the white space behind each: one at a time is what it has learnt. */
function sentences(typed) {
  const found = new Intl.Segmenter(languages[0], { granularity: "sentence" }).segment(typed);
  return Array.from(found, ({ segment }) => {
    const sentence = segment.trimEnd();
    return { sentence, gap: segment.slice(sentence.length) };
  });
}

function show(results, written) {
  byId("translation").textContent = written;
  const [last] = results.slice(-1);
  const others = last?.texts.slice(1) ?? [];
  byId("others").replaceChildren(...others.map((other) => element("li", other)));
  byId("more").hidden = !others.length;
  byId("note").textContent = noteOn(results);
  if (times.length) {
    const median = [...times].sort((a, b) => a - b)[times.length >> 1];
    const runs = times.length > 1 ? ` (median of ${times.length})` : "";
    byId("latency").textContent = `${median.toFixed(0)} ms a sentence${runs}`;
  }
  speak(written.trim() || "No text");
}

function noteOn(results) {
  const strange = results.filter(({ texts }) => !texts.length).length;
  const long = results.filter(({ cut }) => cut).length;
  return [
    results.length ? `${results.length} ${results.length === 1 ? "sentence" : "sentences"}` : "No text",
    strange ? `, ${strange} without a character that the model knows, left as it is` : "",
    long ? `; ${long} too long: the end is not read` : "",
  ].join("");
}

async function start() {
  choice = await Choice.of("translators.json");
  listen(translate);
  await translate();
}

begin(start);
