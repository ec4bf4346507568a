const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Return a random id of letters and digits. Works on plain http too, where `crypto.randomUUID` is missing. */
export function randomId(length = 16): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length))
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('')
}
