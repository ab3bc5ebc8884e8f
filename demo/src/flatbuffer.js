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

  has(slot) {
    return this.#offset(slot) !== 0;
  }

  /** Position of a field's value. Throws where the table lacks the field. */
  field(slot) {
    const offset = this.#offset(slot);
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

  /** A vector of 32-bit integers, in place: writing to it changes the file. */
  integers(slot) {
    const start = this.#follow(this.field(slot));
    const place = this.view.byteOffset + start + 4;
    return new Int32Array(this.view.buffer, place, this.view.getUint32(start, true));
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

  #offset(slot) {
    const vtable = this.position - this.view.getInt32(this.position, true);
    const entry = 4 + 2 * slot;
    return entry < this.view.getUint16(vtable, true) ? this.view.getUint16(vtable + entry, true) : 0;
  }

  #follow(position) {
    return position + this.view.getUint32(position, true);
  }
}
