// The page of next words: what is typed goes to the model, its suggestions become buttons.

import {
  begin,
  byId,
  Choice,
  element,
  latestOnly,
  listen,
  MODELS,
  opener,
  release,
  replace,
  speak,
  withLiteRt,
} from "./page.js";

const COUNT = 5;
// There Option and a digit type a sign, on some keyboards the only way to "#" or "[", and Control
// and Option are what VoiceOver's own commands begin with.
const MAC = /^(Mac|iP)/.test(navigator.platform);
// As the tokenizer reads: marks are letters, and an apostrophe belongs to a word within it only.
const REST_OF_WORD = /^(?:[\p{L}\p{M}\p{N}]|['’](?=[\p{L}\p{N}]))*/u;
// What stands right behind a word.
const NO_SPACE_BEFORE = /^[\s.,;:!?…)\]}"”’']/u;
// What a word does not stand right behind: the end of a sentence or its part, or of an emoji.
const SPACE_AFTER =
  /[.,;:!?…)\]}”\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}\u{FE0F}\u{E007F}]$/u;

const text = byId("text");

let choice;
let model = null; // an open Suggester
let asked = null; // the text that the suggestions follow; null before there are any
let typed = ""; // what there is of its last word

const openChosen = opener(open, forget, () => choice.file);

const suggest = latestOnly(async (wanted) => {
  await openChosen();
  const before = text.value.slice(0, text.selectionStart);
  if (before !== asked) {
    const found = await model.suggest(before, COUNT, wanted);
    if (!found) return;
    [asked, typed] = [before, found.prefix];
    show(found.words);
  }
  byId("problem").hidden = true;
});

async function open(file, signal) {
  const { Suggester } = await withLiteRt("./suggester.js");
  model = await Suggester.open(file, MODELS, signal);
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("metric").textContent = "Perplexity";
  byId("score").textContent = `${file.score?.toFixed(2) ?? "not measured"} on ${file.scored_on}`;
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  const open = model;
  model = null;
  asked = null;
  byId("suggestions").replaceChildren();
  for (const id of ["size", "metric", "score"]) byId(id).textContent = "";
  release(open);
}

function show(words) {
  const list = byId("suggestions");
  const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(
    ...words.map(({ word, probability }, place) => {
      const button = element("button", word);
      button.type = "button";
      button.dir = "auto";
      button.setAttribute("aria-keyshortcuts", `${MAC ? "Control+Shift" : "Alt"}+${place + 1}`);
      button.dataset.probability = probability;
      button.addEventListener("click", () => take(word));
      const item = element("li", button);
      item.append(element("span", `${(100 * probability).toFixed(1)} %`));
      return item;
    }),
  );
  // Whoever is on a suggestion stays at its place.
  if (focused >= 0) (list.querySelectorAll("button")[focused] ?? text).focus();
  byId("note").textContent = words.length
    ? ""
    : "No longer word of the vocabulary begins so; after a space the next one is suggested.";
  const listed = words.map(({ word }) => word).join(", ");
  speak(listed ? `Suggestions: ${listed}` : "No suggestions");
}

/** Put a suggestion in the place of the word that the caret is in, or of what is selected. */
function take(word) {
  const { selectionStart: caret, selectionEnd } = text;
  // Whoever has typed on meanwhile did not choose this.
  if (text.value.slice(0, caret) !== asked) {
    text.focus();
    suggest();
    return;
  }
  const inside = typed && caret === selectionEnd;
  const rest = inside ? text.value.slice(caret).match(REST_OF_WORD)[0] : "";
  const end = selectionEnd + rest.length;
  const before = !typed && SPACE_AFTER.test(asked) ? " " : "";
  const after = NO_SPACE_BEFORE.test(text.value.slice(end)) ? "" : " ";
  replace(caret - typed.length, end, before + word + after);
}

function takeByNumber(event) {
  const { altKey, ctrlKey, shiftKey } = event;
  const held = MAC ? ctrlKey && shiftKey && !altKey : altKey && !ctrlKey;
  if (!held || event.metaKey || event.getModifierState("AltGraph")) return;
  const place = event.code.match(/^Digit([1-9])$/)?.[1];
  const button = place && byId("suggestions").querySelectorAll("button")[place - 1];
  if (!button) return;
  event.preventDefault();
  button.click();
}

async function start() {
  if (MAC) byId("keys").textContent = "Control, Shift";
  choice = await Choice.of("language_models.json");
  listen(suggest);
  byId("form").addEventListener("keydown", takeByNumber);
  // The caret moves without input too; a finger moves it after it was lifted, or by its handle.
  for (const moved of ["keyup", "pointerup"]) text.addEventListener(moved, suggest);
  document.addEventListener("selectionchange", () => {
    if (document.activeElement === text) suggest();
  });
  text.setSelectionRange(text.value.length, text.value.length);
  await suggest();
}

begin(start);
