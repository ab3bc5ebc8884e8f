// What both pages do: offer models, open one, answer what was typed last, tell of problems.

import { NotAsListed } from "./download.js";

export const MODELS = new URL("../models/", import.meta.url);

const SPEAK_AFTER = 700; // milliseconds without typing until a screen reader hears the answer

export const byId = (id) => document.getElementById(id);

/** Run `task` again and again until nothing has changed while it ran; never twice at once. */
export function latestOnly(task) {
  let running = false;
  let asked = false;
  return async () => {
    asked = true;
    byId("form").dataset.state = "busy";
    if (running) return;
    running = true;
    try {
      while (asked) {
        asked = false;
        await task(() => !asked).catch(complain);
      }
    } finally {
      running = false;
      byId("form").dataset.state = "done";
    }
  };
}

let told; // the error that the page tells of

export function complain(error) {
  told = error;
  say("problem", `This does not work: ${String(error?.message ?? error).replace(/\.+$/, "")}.`);
  byId("problem").hidden = false;
  byId("note").textContent = "";
  if (hasDied(error)) byId("again").hidden = false;
}

/** Whether an error may have ended the WebAssembly runtime: only a page loaded anew has another. */
function hasDied(error) {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return true;
  return error instanceof Error && /abort|memory/i.test(error.message);
}

/** Free an open model, unless the runtime can do nothing any more. */
export function release(model) {
  try {
    model?.delete();
  } catch (error) {
    if (!hasDied(error)) throw error;
  }
}

/** Write into an element that a screen reader speaks whenever it is written to. */
function say(id, ...parts) {
  const words = parts.map((part) => part.textContent ?? part).join("");
  if (byId(id).textContent !== words) byId(id).replaceChildren(...parts);
}

let speaking;

/**
 * Let a screen reader hear this after a pause in typing, unless it is what it heard last.
 *
 * @param {...(string|Element)} parts an element for words in another language than the page's
 */
export function speak(...parts) {
  clearTimeout(speaking);
  speaking = setTimeout(() => say("spoken", ...parts), SPEAK_AFTER);
}

/**
 * Make the function that sees to it that the chosen file is open.
 *
 * A file that does not open is fetched again once the user has chosen another or asks for it, not
 * at each key. One that is still being fetched when another is chosen is given up.
 *
 * @param {(file: Object, signal: AbortSignal) => Promise<void>} open
 * @param {() => void} forget called before another file is opened, and if that does not open
 * @param {() => Object} chosen the file that is to be open
 */
export function opener(open, forget, chosen) {
  let last = {}; // the file that was tried last, what ends its download, and why it failed
  byId("form").addEventListener("input", () => {
    if (last.opening && last.file !== chosen()) last.download.abort();
  });
  const again = byId("again");
  let asked = false; // whether what only a new page may bring was asked for again
  again.addEventListener("click", () => {
    // Some browsers fetch a script anew in a new page only, and a new list of models comes with
    // one; but where the server was at fault there is no need to lose the text.
    const outdated = told instanceof Unloaded || told instanceof NotAsListed;
    if (hasDied(told) || (outdated && asked)) return location.reload();
    asked = outdated;
    last = {};
    // Gone until it fails anew, which a screen reader would not speak of otherwise.
    byId("problem").hidden = again.hidden = true;
    byId("text").focus();
    byId("form").dispatchEvent(new Event("input"));
  });
  return async () => {
    while (last.file !== chosen() || (last.error && last.download.signal.aborted)) {
      last = { file: chosen(), download: new AbortController(), opening: true };
      forget();
      // What failed before is not what is being loaded, and asking for it anew would end this.
      byId("problem").hidden = again.hidden = true;
      byId("note").textContent = "Loading the model …";
      byId("spoken").textContent = ""; // The new model's answer is news, even if it is the same.
      speak("Loading the model");
      await open(last.file, last.download.signal).catch((error) => {
        forget();
        last.error = error;
      });
      last.opening = false;
    }
    again.hidden = !last.error;
    if (last.error) {
      speak("");
      throw last.error;
    }
  };
}

/** Start a page; where that fails, loading it again is what the user can do. */
export function begin(start) {
  start().catch((error) => {
    complain(error);
    byId("again").hidden = false;
    byId("again").addEventListener("click", () => location.reload());
  });
}

/** Call `ask` whenever something is typed, cleared or chosen. */
export function listen(ask) {
  byId("form").addEventListener("input", ask);
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => replace(0, byId("text").value.length, ""));
}

/** Put `words` in the place of a part of the text, as typing does. */
export function replace(start, end, words) {
  const text = byId("text");
  text.focus();
  text.setSelectionRange(start, end);
  // It is the only way that the browser can undo.
  if (document.execCommand(words ? "insertText" : "delete", false, words)) return;
  text.setRangeText(words, start, end, "end");
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

/** A module, or one that it imports, did not load. */
class Unloaded extends Error {}

const RECENT = 25; // runs that a latency is the median of

/** How long a model takes: the median of its last runs. */
export class Latency {
  times = [];

  /** Take down a run. @param {number} milliseconds */
  add(milliseconds) {
    this.times = [...this.times, milliseconds].slice(-RECENT);
  }

  /** Write it onto the page, if there was a run. @param {string} unit of one run, "" for none */
  show(decimals, unit = "") {
    const { times } = this;
    if (!times.length) return;
    const median = [...times].sort((a, b) => a - b)[times.length >> 1].toFixed(decimals);
    const runs = times.length > 1 ? ` (median of ${times.length})` : "";
    byId("latency").textContent = `${median} ms${unit}${runs}`;
  }
}

/** Import a module that needs LiteRT.js. */
export function withLiteRt(module) {
  return import(module).catch((error) => {
    throw new Unloaded(`a script could not be loaded: ${error.message}`);
  });
}

export function element(kind, content) {
  const made = document.createElement(kind);
  made.append(content);
  return made;
}

/** The models of one list, and which of them and of their files is chosen. */
export class Choice {
  /** @param {string} list name of the list beside the models, such as "presets.json" */
  static async of(list) {
    const response = await fetch(new URL(list, MODELS), { cache: "no-cache" });
    if (!response.ok) {
      throw new Error(`there is no models/${list}; \`python -m gru_zoo.demo\` makes it`);
    }
    return new Choice(await response.json());
  }

  constructor(presets) {
    if (!presets.length) throw new Error("the zoo has none of the models that this page shows");
    this.presets = presets;
    byId("preset").append(...presets.map(({ name }) => new Option(name, name)));
    this.#offerVariants();
    byId("preset").disabled = byId("variants").disabled = false;
    // On `input`, which reaches the form after this: what is asked there needs the new variants.
    byId("preset").addEventListener("input", () => this.#offerVariants());
  }

  get preset() {
    return this.presets.find(({ name }) => name === byId("preset").value);
  }

  get file() {
    const variant = byId("variants").querySelector("input:checked").value;
    return this.preset.files.find((file) => file.variant === variant);
  }

  /** Show the variants of the chosen preset, keeping the choice where there is the same one. */
  #offerVariants() {
    const { files, summary } = this.preset;
    const variants = byId("variants");
    const before = variants.querySelector("input:checked")?.value;
    // Nobody who chose nothing waits for the largest file.
    const smallest = files.reduce((one, other) => (other.bytes < one.bytes ? other : one));
    const chosen = files.find(({ variant }) => variant === before) ?? smallest;
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
}
