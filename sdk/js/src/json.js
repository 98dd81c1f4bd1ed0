// JSON documents as the contract carries them: bytes in UTF-8. The engine has no TextDecoder; what it has of old converts
// whole texts at once, which is what counts in an interpreter.

// Arguments of one call; engines have a limit.
const PIECE = 8192;

/** The value that bytes hold; null where there are none. */
export function decode(bytes) {
  if (bytes === null || bytes === undefined) return null;
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + PIECE));
  }
  // Each letter is a byte so far.
  return JSON.parse(/[\x80-\xff]/.test(text) ? decodeURIComponent(escape(text)) : text);
}

/** The bytes of a value. */
export function encode(value) {
  const text = unescape(encodeURIComponent(JSON.stringify(value)));
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}
