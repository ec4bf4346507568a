const FENCE = /^ {0,3}(?:`{3,}|~{3,})/gm
const CODE_SPANS = /(`+)(?!`)[^]*?[^`]\1(?!`)/g
const LINK_BEGUN = /!?\[([^\]\n]*)\]\([^)\n]*$/

/**
 * A block that still grows, with the marks closed that it has begun: text turns bold as it comes, instead of showing
 * asterisks until it is whole. Only ever for the last block of an answer being written.
 */
export function closeMarks(block: string): string {
  if ((block.match(FENCE)?.length ?? 0) % 2 === 1) return block
  const start = block.lastIndexOf('\n\n') + 1
  let end = block.slice(start).replace(LINK_BEGUN, '$1')

  const begunCode = end.replace(CODE_SPANS, (span) => ' '.repeat(span.length)).search(/`+[^`]*$/)
  if (begunCode >= 0) {
    const ticks = /^`+/.exec(end.slice(begunCode))![0]
    end = end.length === begunCode + ticks.length ? end.slice(0, begunCode) : end + ticks
  }

  const prose = end.replace(CODE_SPANS, (span) => ' '.repeat(span.length))
  if ((prose.match(/\*\*/g)?.length ?? 0) % 2 === 1) {
    const after = prose.slice(prose.lastIndexOf('**') + 2)
    if (!after.trim()) end = end.slice(0, prose.lastIndexOf('**'))
    else if (/^\S/.test(after)) end = `${end.trimEnd().replace(/([^*])\*$/, '$1')}**`
  }
  return block.slice(0, start) + end
}
