/**
 * Crockford's base32 (https://www.crockford.com/base32.html) for five 32-bit words, which are 32
 * characters. Of its decoding rules only case folding is kept: reading I and L as 1 and O as 0 would
 * let an id with a changed character pass for the id.
 */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const INVALID = 255;

export const CROCKFORD_CHARACTERS = 32;
const WORDS = 5;

const codes = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const values = new Uint8Array(128).fill(INVALID);
for (let value = 0; value < 32; value++) {
  values[ALPHABET.charCodeAt(value)] = value;
  values[ALPHABET.toLowerCase().charCodeAt(value)] = value;
}

const text = Buffer.alloc(CROCKFORD_CHARACTERS);

/** Writes the first five words of `words`, most significant bit first, as 32 uppercase characters. */
export function encodeWords(words: Uint32Array): string {
  let at = 0;
  let bits = 0;
  let rest = 0;
  for (let word = 0; word < WORDS; word++) {
    // Halves of 16 bits keep `rest` within 20 bits, far from the sign.
    const value = words[word] as number;
    for (let shift = 16; shift >= 0; shift -= 16) {
      rest = ((rest & 0x1f) << 16) | ((value >>> shift) & 0xffff);
      bits += 16;
      while (bits >= 5) {
        bits -= 5;
        text[at++] = codes[(rest >>> bits) & 0x1f] as number;
      }
    }
  }
  return text.toString("latin1");
}

/** Reads 32 characters of either case into the first five words; false, where they are not that. */
export function decodeWords(characters: string, words: Uint32Array): boolean {
  if (characters.length !== CROCKFORD_CHARACTERS) return false;
  let word = 0;
  let bits = 0;
  let rest = 0;
  for (let at = 0; at < CROCKFORD_CHARACTERS; at++) {
    const code = characters.charCodeAt(at);
    const value = code < 128 ? (values[code] as number) : INVALID;
    if (value === INVALID) return false;
    bits += 5;
    if (bits < 32) {
      rest = (rest << 5) | value;
      continue;
    }
    bits -= 32;
    words[word++] = (rest << (5 - bits)) | (value >>> bits);
    rest = value & ((1 << bits) - 1);
  }
  return true;
}
