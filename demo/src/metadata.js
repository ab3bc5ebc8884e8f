// What a text classifier's .tflite file says about itself: labels, vocabulary, where words end.
//
// The description is a FlatBuffer (metadata_schema.fbs) in the model's buffer TFLITE_METADATA, the
// files it names stand in a ZIP archive after the model.

import { Table } from "./flatbuffer.js";
import { readVocabulary } from "./tokenizer.js";
import { entries, textOf } from "./zip.js";

const MODEL = { buffers: 4, metadata: 6 };
const ENTRY = { name: 0, buffer: 1 };
const DATA = 0;
const SUBGRAPHS = 3;
const INPUTS = 2;
const PROCESS_UNITS = 4;
const OPTIONS = 1;
const PATTERN = 0;

/**
 * @param {ArrayBuffer} file
 * @returns {Promise<{labels: string[], vocabulary: Map<string, number>, pattern: string}>}
 */
export async function readMetadata(file) {
  const files = entries(file);
  return {
    labels: (await textOf(files, "labels.txt")).split("\n").slice(0, -1),
    vocabulary: await readVocabulary(files),
    pattern: readPattern(new DataView(file)),
  };
}

function readPattern(view) {
  const model = Table.root(view);
  const entry = model.tables(MODEL.metadata).find((e) => e.string(ENTRY.name) === "TFLITE_METADATA");
  if (!entry) throw new Error("the file does not describe itself");
  const bytes = model.tables(MODEL.buffers)[entry.number(ENTRY.buffer)].bytes(DATA);
  const about = Table.root(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const [input] = about.tables(SUBGRAPHS)[0].tables(INPUTS);
  return input.tables(PROCESS_UNITS)[0].table(OPTIONS).string(PATTERN);
}
