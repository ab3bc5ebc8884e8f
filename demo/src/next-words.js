// The page of next words: what is typed goes to the model, its suggestions become buttons.

import { byId, Choice, complain, element, latestOnly, MODELS, withLiteRt } from "./page.js";

const COUNT = 5;
const SPEAK_AFTER = 700; // milliseconds without typing until a screen reader hears the suggestions
const METRICS = { perplexity: "Perplexity", bits_per_character: "Bits a character" };

const text = byId("text");

let choice;
let model = null; // an open Suggester
let asked = ""; // the text that the suggestions follow
let typed = ""; // what there is of its last word
let speaking;

const suggest = latestOnly(async (wanted) => {
  if (model?.file !== choice.file) {
    await open(choice.file).catch((error) => {
      forget();
      throw error;
    });
  }
  const before = text.value.slice(0, text.selectionStart);
  const found = await model.suggest(before, COUNT, wanted);
  if (!found) return;
  [asked, typed] = [before, found.prefix];
  show(found.words);
  byId("problem").hidden = true;
});

async function open(file) {
  byId("note").textContent = "Loading the model …";
  const { Suggester } = await withLiteRt("./suggester.js");
  const opened = await Suggester.open(file, MODELS);
  model?.delete();
  model = Object.assign(opened, { file });
  byId("size").textContent = `${(file.bytes / 1e6).toFixed(2)} MB, ${file.variant}`;
  byId("metric").textContent = METRICS[choice.preset.metric];
  byId("score").textContent = `${file.score.toFixed(2)} on ${file.scored_on}`;
}

/** What is open, and on the page, is another model than the one that is chosen. */
function forget() {
  model?.delete();
  model = null;
  byId("suggestions").replaceChildren();
  for (const id of ["size", "metric", "score"]) byId(id).textContent = "";
}

function show(words) {
  byId("suggestions").replaceChildren(
    ...words.map(({ word, probability }, place) => {
      const button = element("button", word);
      button.type = "button";
      button.setAttribute("aria-keyshortcuts", `Alt+${place + 1}`);
      button.dataset.probability = probability;
      button.addEventListener("click", () => take(word));
      const item = element("li", button);
      item.append(element("span", `${(100 * probability).toFixed(1)} %`));
      return item;
    }),
  );
  byId("note").textContent = words.length
    ? ""
    : "No longer word of the vocabulary begins so; after a space the next one is suggested.";
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    byId("spoken").textContent = words.length
      ? `Suggestions: ${words.map(({ word }) => word).join(", ")}`
      : "No suggestions";
  }, SPEAK_AFTER);
}

/** Put a suggestion in the place of the word that the caret is in, or of what is selected. */
function take(word) {
  const { selectionStart: caret, selectionEnd } = text;
  text.focus();
  // Whoever has typed on meanwhile did not choose this.
  if (text.value.slice(0, caret) === asked) {
    const inside = typed && caret === selectionEnd;
    const rest = inside ? text.value.slice(caret).match(/^[\p{L}\p{N}'’]*/u)[0] : "";
    const end = selectionEnd + rest.length;
    const given = /^\s/.test(text.value.slice(end)) ? word : `${word} `;
    text.setSelectionRange(caret - typed.length, end);
    // It is the only way that the browser can undo.
    if (!document.execCommand("insertText", false, given)) {
      text.setRangeText(given, caret - typed.length, end, "end");
    }
  }
  suggest();
}

function takeByNumber(event) {
  const place = event.code.match(/^Digit([1-9])$/)?.[1];
  const button = place && byId("suggestions").querySelectorAll("button")[place - 1];
  if (!event.altKey || !button) return;
  event.preventDefault();
  button.click();
}

async function start() {
  choice = await Choice.of("language_models.json");
  byId("form").addEventListener("input", suggest);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("form").addEventListener("keydown", takeByNumber);
  // The caret moves without input too.
  for (const moved of ["keyup", "pointerup"]) text.addEventListener(moved, suggest);
  byId("clear").addEventListener("click", () => {
    text.value = "";
    text.focus();
    suggest();
  });
  text.setSelectionRange(text.value.length, text.value.length);
  await suggest();
}

start().catch(complain);
