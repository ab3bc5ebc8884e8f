// A model's file from the server, and the proof that it is the one the list speaks of.

/** The server has no such file, or another one: the page's list of models may be an old one. */
export class NotAsListed extends Error {}

/**
 * @param {{path: string, sha256: string}} file of the list of models
 * @param {URL} folder that the path begins in
 * @param {AbortSignal} [signal] ends the download
 * @returns {Promise<ArrayBuffer>}
 */
export async function download(file, folder, signal) {
  const address = new URL(file.path.split("/").map(encodeURIComponent).join("/"), folder);
  // A host may let files be kept for long: an older one is none that the list speaks of.
  const response = await fetch(address, { signal, cache: "no-cache" });
  if (!response.ok) throw new NotAsListed(`${file.path}: the server answered ${response.status}`);
  const bytes = await response.arrayBuffer();
  await check(bytes, file);
  return bytes;
}

async function check(bytes, { path, sha256 }) {
  // Browsers offer hashes on localhost and over https only.
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex === sha256) return;
  throw new NotAsListed(`${path} is not the file that the list of models speaks of`);
}
