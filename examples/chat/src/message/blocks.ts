const FENCE = /^ {0,3}(`{3,}|~{3,})/
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
/** The definition of a link or a footnote, which counts for the whole text. */
const DEFINITION = /^ {0,3}\[[^\]\n]{1,999}\]:/m

/**
 * Cut Markdown into blocks that mean the same alone as together.
 *
 * While an answer grows, only its last block changes, so only that block has to be parsed again. A blank line ends a
 * block unless it is inside a code fence or may belong to a list. Texts with definitions stay whole.
 */
export function splitBlocks(text: string): string[] {
  if (DEFINITION.test(text)) return [text]
  const blocks: string[] = []
  let lines: string[] = []
  let blank = false
  const fence = new Fence()
  for (const line of text.split('\n')) {
    if (blank && !fence.open && line.trim() && !/^\s/.test(line) && !LIST_ITEM.test(line)) {
      blocks.push(lines.join('\n'))
      lines = []
    }
    fence.feed(line)
    blank = !line.trim()
    lines.push(line)
  }
  blocks.push(lines.join('\n'))
  return blocks.filter((block) => block.trim())
}

/** Tracks, line by line, whether a code fence is open. */
export class Fence {
  #mark = ''

  get open(): boolean {
    return this.#mark !== ''
  }

  feed(line: string): void {
    const mark = FENCE.exec(line)?.[1]
    if (this.open) {
      if (mark?.startsWith(this.#mark) && line.trim() === mark) this.#mark = ''
    } else if (mark) {
      this.#mark = mark
    }
  }
}
