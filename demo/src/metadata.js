// What a text classifier's .tflite file says about itself: labels, vocabulary, where words end.
//
// The description is a FlatBuffer (metadata_schema.fbs) in the model's buffer TFLITE_METADATA, the
// files it names stand in a ZIP archive after the model, stored without compression.

import { Table } from "./flatbuffer.js";

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
 * @returns {{labels: string[], vocabulary: Map<string, number>, pattern: string}}
 */
export function readMetadata(file) {
  const files = unzip(file);
  const text = (name) => {
    if (!files.has(name)) throw new Error(`the file has no ${name} inside`);
    return new TextDecoder("utf-8", { fatal: true }).decode(files.get(name));
  };
  return {
    labels: text("labels.txt").split("\n").slice(0, -1),
    vocabulary: new Map(
      text("vocab.txt")
        .split("\n")
        .slice(0, -1)
        .map((line) => {
          const end = line.lastIndexOf(" ");
          return [line.slice(0, end), Number(line.slice(end + 1))];
        }),
    ),
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

/** Name -> bytes of a ZIP archive of stored files that stands at the end of `file`. */
function unzip(file) {
  const view = new DataView(file);
  const END = 22; // size of the end record, which has no comment
  const end = file.byteLength - END;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) {
    throw new Error("the file is cut short, or has no vocabulary inside");
  }
  const count = view.getUint16(end + 10, true);
  let place = end - view.getUint32(end + 12, true);
  // Places in the archive count from its own start.
  const start = place - view.getUint32(end + 16, true);
  const files = new Map();
  for (let number = 0; number < count; number++) {
    const size = view.getUint32(place + 20, true);
    const [nameSize, extra, comment] = [28, 30, 32].map((at) => view.getUint16(place + at, true));
    const local = start + view.getUint32(place + 42, true);
    const data = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(file, place + 46, nameSize));
    files.set(name, new Uint8Array(file, data, size));
    place += 46 + nameSize + extra + comment;
  }
  return files;
}
