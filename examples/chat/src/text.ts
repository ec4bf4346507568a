/** Return a text of at most `max` characters, which ends with an ellipsis if something is missing. Splits no emoji. */
export function clipped(text: string, max: number): string {
  if (text.length <= max) return text
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '').trimEnd()}…`
}
