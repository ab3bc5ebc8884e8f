// Reads tables of a FlatBuffer by slot numbers (https://flatbuffers.dev/internals/).

export class Table {
  /** @param {DataView} view  @param {number} position of the table in the view */
  constructor(view, position) {
    this.view = view;
    this.position = position;
  }

  static root(view) {
    return new Table(view, view.getUint32(0, true));
  }

  /** Position of a field's value. Throws where the table lacks the field. */
  field(slot) {
    const vtable = this.position - this.view.getInt32(this.position, true);
    const entry = 4 + 2 * slot;
    const present = entry < this.view.getUint16(vtable, true);
    const offset = present ? this.view.getUint16(vtable + entry, true) : 0;
    if (!offset) throw new Error(`the file has no field ${slot} where one is expected`);
    return this.position + offset;
  }

  number(slot) {
    return this.view.getUint32(this.field(slot), true);
  }

  /** Bytes of a vector of bytes, or of a string. */
  bytes(slot) {
    const start = this.#follow(this.field(slot));
    const length = this.view.getUint32(start, true);
    return new Uint8Array(this.view.buffer, this.view.byteOffset + start + 4, length);
  }

  string(slot) {
    return new TextDecoder().decode(this.bytes(slot));
  }

  /** The tables of a vector. */
  tables(slot) {
    const start = this.#follow(this.field(slot));
    return Array.from({ length: this.view.getUint32(start, true) }, (_, index) => {
      return new Table(this.view, this.#follow(start + 4 + 4 * index));
    });
  }

  table(slot) {
    return new Table(this.view, this.#follow(this.field(slot)));
  }

  #follow(position) {
    return position + this.view.getUint32(position, true);
  }
}
