// The ZIP archive that stands at the end of a .tflite file.

const STORED = 0;
const DEFLATED = 8;

/**
 * @param {ArrayBuffer} file
 * @returns {Map<string, {method: number, bytes: Uint8Array}>} name -> content as it stands there
 */
export function entries(file) {
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
    const method = view.getUint16(place + 10, true);
    const size = view.getUint32(place + 20, true);
    const [nameSize, extra, comment] = [28, 30, 32].map((at) => view.getUint16(place + at, true));
    const local = start + view.getUint32(place + 42, true);
    const data = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const name = new TextDecoder().decode(new Uint8Array(file, place + 46, nameSize));
    files.set(name, { method, bytes: new Uint8Array(file, data, size) });
    place += 46 + nameSize + extra + comment;
  }
  return files;
}

/** The text of an entry, unpacked where it is packed. */
export async function textOf(files, name) {
  if (!files.has(name)) throw new Error(`the file has no ${name} inside`);
  const { method, bytes } = files.get(name);
  if (![STORED, DEFLATED].includes(method)) throw new Error(`${name} is packed in another way`);
  let stream = new Blob([bytes]).stream();
  if (method === DEFLATED) stream = stream.pipeThrough(new DecompressionStream("deflate-raw"));
  const whole = await new Response(stream).arrayBuffer();
  return new TextDecoder("utf-8", { fatal: true }).decode(whole);
}
