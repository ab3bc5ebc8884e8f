// The page of translators: each sentence that is typed goes to the model, its translation back.

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
  replace,
  speak,
  withLiteRt,
} from "./page.js";

const WARM = "a";
const SAMPLES = {
  de: "Zwei Hunde spielen im Schnee.",
  en: "Where is the nearest station? I've lost my ticket.",
  fr: "Où est la gare la plus proche ? J'ai perdu mon billet.",
};

// What ends with a point and no sentence: a title, an initial, "M." too, but "I."
const ABBREVIATION = /(?:^|[\s("'«„“-])(?:(?!I)\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|vs|MM|Mme|Mlle|Hr|Fr|Nr|ca|bzw|z\.\s?B)\.\s*$/u;

const text = byId("text");

let choice;
let model = null; // an open Translator
let languages = []; // from, to
let known = new Map(); // sentence -> its translations, of the open model
let sample = null; // what the page itself has put there; null before it has
let latency = new Latency();

const openChosen = opener(open, forget, () => choice.file);

const translate = latestOnly(async (wanted) => {
  await openChosen();
  const parts = sentences(text.value);
  const results = [];
  let written = "";
  for (const { before, sentence, after } of parts) {
    let translated = sentence;
    if (sentence) {
      // Of a long text that is edited at its end, nothing but the end is translated again.
      const result = known.get(sentence) ?? (await timed(sentence, wanted));
      if (!result) return;
      known.set(sentence, result);
      results.push(result);
      translated = result.texts[0] ?? sentence;
    }
    written += before + translated + after;
    byId("translation").textContent = written;
  }
  const kept = new Set(parts.map(({ sentence }) => sentence));
  known = new Map([...known].filter(([sentence]) => kept.has(sentence)));
  show(results, written);
  byId("problem").hidden = true;
});

async function timed(sentence, wanted) {
  const start = performance.now();
  const result = await model.translate(sentence, wanted).catch((error) => {
    hideOthers(); // They are of an older text.
    throw error;
  });
  if (result?.texts.length) latency.add(performance.now() - start);
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
  // What the page itself has put there is no text of the user's; an empty one may be.
  if (text.value === (sample ?? "")) text.value = sample = SAMPLES[languages[0]] ?? "";
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("score").textContent = `${file.score?.toFixed(2) ?? "not measured"} on ${file.scored_on}`;
}

/** The model that translates the other way round than the chosen one, if there is one. */
function reverse() {
  const [from, to] = choice.preset.language;
  return choice.presets.find(({ language }) => language[0] === to && language[1] === from);
}

/** Translate back: the other model, and what has been written is what it reads. */
function swap() {
  const back = reverse();
  if (!back) return; // Another model was chosen a moment ago.
  // Half a translation would take the place of a whole text.
  const whole = byId("form").dataset.state === "done" && byId("problem").hidden;
  const written = byId("translation").textContent.trim();
  byId("preset").value = back.name;
  byId("preset").dispatchEvent(new Event("input", { bubbles: true }));
  if (whole && written) replace(0, text.value.length, written);
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  model = null;
  known = new Map();
  latency = new Latency();
  byId("swap").hidden = !reverse();
  for (const id of ["translation", "latency", "size", "score"]) byId(id).textContent = "";
  [byId("from").textContent, byId("to").textContent] = ["Text", "Translation"];
  hideOthers();
}

function hideOthers() {
  byId("others").replaceChildren();
  byId("more").hidden = true;
}

/**
 * The sentences of a text, and the white space around each: one at a time is what it has learnt.
 *
 * @param {string} typed
 * @returns {{before: string, sentence: string, after: string}[]}
 */
export function sentences(typed) {
  const found = new Intl.Segmenter(languages[0], { granularity: "sentence" }).segment(typed);
  const joined = [];
  for (const { segment } of found) {
    const last = joined.at(-1);
    if (last && ABBREVIATION.test(last) && !/\n\s*$/.test(last)) {
      joined[joined.length - 1] += segment;
    } else {
      joined.push(segment);
    }
  }
  return joined.map((part) => {
    const sentence = part.trim();
    const start = sentence ? part.indexOf(sentence) : part.length;
    return { before: part.slice(0, start), sentence, after: part.slice(start + sentence.length) };
  });
}

function show(results, written) {
  byId("translation").textContent = written;
  const others = results.at(-1)?.texts.slice(1) ?? [];
  byId("others").replaceChildren(
    ...others.map((other) => Object.assign(element("li", other), { dir: "auto" })),
  );
  byId("more").hidden = !others.length;
  const warning = warningOn(results);
  const count = `${results.length} ${results.length === 1 ? "sentence" : "sentences"}`;
  byId("note").textContent = results.length ? [count, ...warning].join("; ") : "No text";
  latency.show(0, " a sentence");
  const translation = Object.assign(element("span", written.trim()), { lang: languages[1] });
  const rest = warning.map((words) => `. ${words}`);
  speak(...(written.trim() ? [translation, ...rest] : [["No text", ...warning].join(". ")]));
}

/** What the translation does not tell of itself. */
function warningOn(results) {
  const strange = results.filter(({ texts }) => !texts.length).length;
  const long = results.filter(({ cut }) => cut).length;
  return [
    strange ? `${strange} without a character that the model knows, left as it is` : "",
    long ? `${long} too long: the end is not read` : "",
  ].filter(Boolean);
}

async function start() {
  choice = await Choice.of("translators.json");
  byId("swap").addEventListener("click", swap);
  listen(translate);
  await translate();
}

begin(start);
