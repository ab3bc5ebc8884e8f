// LiteRT.js takes no tensor for an input whose size the file leaves open, and cannot resize one.

import { Table } from "./flatbuffer.js";

const SUBGRAPHS = 2;
const TENSORS = 0;
const INPUTS = 1;
const SHAPE = 0;
const SHAPE_SIGNATURE = 7; // as SHAPE, with -1 for an open size

/** Write the sizes a model was made for over those it leaves open. @param {ArrayBuffer} file */
export function closeShapes(file) {
  for (const graph of Table.root(new DataView(file)).tables(SUBGRAPHS)) {
    const tensors = graph.tables(TENSORS);
    for (const input of graph.integers(INPUTS)) {
      const tensor = tensors[input];
      if (!tensor.has(SHAPE_SIGNATURE)) continue;
      tensor.integers(SHAPE_SIGNATURE).set(tensor.integers(SHAPE));
    }
  }
}

const SIGNATURES = 7;
const SIGNATURE = { inputs: 0, outputs: 1, graph: 4 };
const NAMED = { name: 0, tensor: 1 };
const OPEN = 1; // place of time, or of beams, in a shape

/**
 * Return a file whose inputs and outputs have sizes where they leave one open.
 *
 * @param {ArrayBuffer} file of one signature, whose inputs and outputs are [1, open, ...]
 * @param {(name: string) => number} size of an input or output
 * @returns {Uint8Array}
 */
export function withSizes(file, size) {
  const named = namedTensors(Table.root(new DataView(file)));
  // Tensors of one shape share it, so each gets its own, behind everything else.
  const lengths = named.map(({ tensor }) => tensor.integers(SHAPE).length);
  const first = Math.ceil(file.byteLength / 4) * 4;
  const sum = lengths.reduce((total, length) => total + 2 * (length + 1), 0);
  const made = new Uint8Array(first + 4 * sum);
  made.set(new Uint8Array(file));
  const view = new DataView(made.buffer);
  let place = first;
  for (const { name, tensor } of named) {
    for (const slot of [SHAPE, SHAPE_SIGNATURE]) {
      const shape = tensor.integers(slot).with(OPEN, size(name));
      const field = tensor.field(slot);
      view.setUint32(field, place - field, true);
      view.setUint32(place, shape.length, true);
      shape.forEach((length, axis) => view.setInt32(place + 4 * (axis + 1), length, true));
      place += 4 * (shape.length + 1);
    }
  }
  return made;
}

/** The inputs and outputs of the only signature, by name. */
function namedTensors(model) {
  const [signature] = model.tables(SIGNATURES);
  const graph = model.tables(SUBGRAPHS)[numberOr0(signature, SIGNATURE.graph)];
  const tensors = graph.tables(TENSORS);
  return [SIGNATURE.inputs, SIGNATURE.outputs].flatMap((side) =>
    signature.tables(side).map((entry) => ({
      name: entry.string(NAMED.name),
      tensor: tensors[numberOr0(entry, NAMED.tensor)],
    })),
  );
}

/** A number that the file leaves out is 0. */
function numberOr0(table, slot) {
  return table.has(slot) ? table.number(slot) : 0;
}
