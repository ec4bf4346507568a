const FENCE = /^ {0,3}(`{3,}|~{3,})/
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
/** Link and footnote definitions, and the HTML that goes on over blank lines. */
const FAR_REACHING = /^ {0,3}(?:\[[^\]]+\]:|<(?:[!?]|script|pre|style|textarea))/im

/**
 * Cut Markdown into blocks that mean the same alone as together.
 *
 * While an answer grows, only its last block changes, so only that one has to be parsed again. A blank line ends a
 * block unless it stands in a code fence or may belong to a list. Texts with something that reaches across blocks stay
 * whole.
 */
export function splitBlocks(text: string): string[] {
  if (FAR_REACHING.test(text)) return [text]
  const blocks: string[] = []
  let lines: string[] = []
  let fence = ''
  let blank = false
  for (const line of text.split('\n')) {
    if (blank && !fence && line.trim() && !/^\s/.test(line) && !LIST_ITEM.test(line)) {
      blocks.push(lines.join('\n'))
      lines = []
    }
    const marker = FENCE.exec(line)?.[1]
    if (fence) {
      if (marker?.startsWith(fence) && line.trim() === marker) fence = ''
    } else if (marker) {
      fence = marker
    }
    blank = !line.trim()
    lines.push(line)
  }
  blocks.push(lines.join('\n'))
  return blocks.filter((block) => block.trim())
}
