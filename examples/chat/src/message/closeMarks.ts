const FENCE = /^ {0,3}(?:`{3,}|~{3,})/gm

/**
 * Return a growing block with the marks closed that it has begun.
 *
 * Text turns bold as it comes, instead of showing asterisks until it is whole. Meant only for the last block of an
 * answer that is being written. The work is linear in the block's length.
 */
export function closeMarks(block: string): string {
  if ((block.match(FENCE)?.length ?? 0) % 2 === 1) return block
  const start = block.lastIndexOf('\n\n') + 1
  return block.slice(0, start) + closeBold(closeCode(unwrapLink(block.slice(start))))
}

/** Reduce a link whose address is still coming to its text. */
function unwrapLink(text: string): string {
  const line = text.lastIndexOf('\n') + 1
  const middle = text.lastIndexOf('](')
  if (middle < line || text.includes(')', middle)) return text
  const begin = text.lastIndexOf('[', middle)
  if (begin < line || text.slice(begin, middle).includes(']')) return text
  const mark = text[begin - 1] === '!' ? begin - 1 : begin
  return text.slice(0, mark) + text.slice(begin + 1, middle)
}

/** Close a code span that is open at the end, or drop its mark if nothing follows it. */
function closeCode(text: string): string {
  const { begun } = withoutCode(text)
  if (begun === null) return text
  return begun.at + begun.ticks.length === text.length ? text.slice(0, begun.at) : text + begun.ticks
}

function closeBold(text: string): string {
  const { prose } = withoutCode(text)
  if ((prose.match(/\*\*/g)?.length ?? 0) % 2 === 0) return text
  const last = prose.lastIndexOf('**')
  const after = prose.slice(last + 2)
  if (!after.trim()) return text.slice(0, last)
  return /^\S/.test(after) ? `${text.trimEnd().replace(/([^*])\*$/, '$1')}**` : text
}

/** Return a text with blanks for its code spans, and the backticks after the last one that open another. */
function withoutCode(text: string): { prose: string; begun: { at: number; ticks: string } | null } {
  const runs = [...text.matchAll(/`+/g)].map((run) => ({ at: run.index, ticks: run[0] }))
  const lastOfLength = new Map(runs.map(({ ticks }, index) => [ticks.length, index]))
  let prose = ''
  let end = 0
  let begun: { at: number; ticks: string } | null = null
  for (let index = 0; index < runs.length; index++) {
    const open = runs[index]!
    if (lastOfLength.get(open.ticks.length)! <= index) {
      begun ??= open
      continue
    }
    begun = null
    while (runs[++index]!.ticks.length !== open.ticks.length);
    const close = runs[index]!.at + open.ticks.length
    prose += text.slice(end, open.at) + ' '.repeat(close - open.at)
    end = close
  }
  return { prose: prose + text.slice(end), begun }
}
