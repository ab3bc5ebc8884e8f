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
