// LiteRT.js, loaded once.

import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

export { Tensor };

let loaded;

/** Compile a model for WebAssembly. @param {Uint8Array} bytes of a .tflite file */
export async function compile(bytes) {
  loaded ??= load().catch((error) => {
    loaded = undefined; // The next model tries again.
    throw error;
  });
  await loaded;
  return loadAndCompile(bytes, { accelerator: "wasm" });
}

async function load() {
  // The runtime prints its log, a line a call, as if all of it were errors.
  globalThis.Module = {
    printErr: (line) => (/^(INFO|WARNING):/.test(line) ? console.debug(line) : console.error(line)),
  };
  await loadLiteRt(new URL("../litert/core/wasm/", import.meta.url).href).catch((error) => {
    // Of a script that does not load it hands on the event, which says nothing.
    if (!(error instanceof Error)) throw new Error("a script of LiteRT.js could not be loaded");
    // A runtime that did not come has not died: it can be fetched again without a new page.
    if (error instanceof WebAssembly.RuntimeError && !/memory/i.test(error.message)) {
      throw new Error("the WebAssembly of LiteRT.js could not be loaded", { cause: error });
    }
    throw error;
  });
}
