import { Fence } from './blocks'

/** What is rendered at once: Markdown that is cheap enough to parse, code, or text that is shown as it was written. */
export interface Piece {
  kind: 'markdown' | 'code' | 'plain'
  text: string
  /** The language of code, empty if the fence names none. */
  language?: string
}

/** The most characters of Markdown in one piece. */
export const MAX_LENGTH = 16_000

/** The most marks in one piece. The parser's work can grow with their square. */
export const MAX_COST = 600

/** Runs of emphasis, and brackets, which the parser compares with each other. */
const PAIRED = /[*_~]+|[[\]]/g
/** Marks that cost the parser about the same wherever they are. */
const SINGLE = /[`<>&|@]|(?:[-+]|\d[.)])[ \t]/g
const SINGLE_COST = 0.25

const CODE_BLOCK = /^(`{3,}|~{3,})([^`\n]*)\n([^]*)$/
const DELIMITER_ROW = /^\|?[ \t:|-]*-[ \t:|-]*$/

/** Return about how much work a text is for the parser, counted in marks. */
export function costOf(text: string): number {
  return (text.match(PAIRED)?.length ?? 0) + (text.match(SINGLE)?.length ?? 0) * SINGLE_COST
}

/**
 * Return the pieces of a block, none of which costs more than `MAX_LENGTH` characters and `MAX_COST` marks to parse.
 *
 * A larger block is cut between its lines, where a list goes on with its next item and a table repeats its head. What
 * cannot be cut is shown as it was written. Code needs no parser.
 */
export function boundBlock(block: string): Piece[] {
  const code = codeOf(block)
  if (code !== null) return [code]
  if (isCheap(block)) return [{ kind: 'markdown', text: block }]
  const [head, rest] = tableHead(block)
  return cutLines(rest, head).map((text) => ({ kind: isCheap(head + text) ? 'markdown' : 'plain', text: head + text }))
}

const isCheap = (text: string): boolean => text.length <= MAX_LENGTH && costOf(text) <= MAX_COST

/** Return the code block that is the whole of a block; its fence may still be open. */
function codeOf(block: string): Piece | null {
  const [, mark, info, body] = CODE_BLOCK.exec(block.replace(/\r\n/g, '\n')) ?? []
  if (mark === undefined || info === undefined || body === undefined) return null
  const lines = body.split('\n')
  const end = lines.findIndex((line) => /^ {0,3}[`~]/.test(line) && line.trim().startsWith(mark) && isRun(line.trim(), mark))
  if (end >= 0 && lines.slice(end + 1).some((line) => line.trim())) return null
  const text = (end >= 0 ? lines.slice(0, end) : lines).join('\n')
  return { kind: 'code', text: end >= 0 ? text : text.replace(/\n$/, ''), language: /^\S*/.exec(info.trim())![0] }
}

const isRun = (line: string, mark: string): boolean => line.split(mark[0]!).join('') === ''

/** Return the head of a table, with its delimiter row, and what follows; the head is empty for any other block. */
function tableHead(block: string): [head: string, rest: string] {
  const [names, delimiters] = block.split('\n', 2)
  if (!names?.includes('|') || !delimiters?.includes('|') || !DELIMITER_ROW.test(delimiters)) return ['', block]
  const head = `${names}\n${delimiters}\n`
  return isCheap(head) ? [head, block.slice(head.length)] : ['', block]
}

/** Cut a text before lines that begin a list item, a row or a line of a paragraph, as late as the bounds allow. */
function cutLines(text: string, head: string): string[] {
  const budget = { length: MAX_LENGTH - head.length, cost: MAX_COST - costOf(head) }
  const parts: string[] = []
  const fence = new Fence()
  let lines: string[] = []
  let length = 0
  let cost = 0
  for (const line of text.split('\n')) {
    const lineCost = costOf(line)
    const full = length + line.length + 1 > budget.length || cost + lineCost > budget.cost
    if (full && lines.length > 0 && !fence.open && !/^\s/.test(line)) {
      parts.push(lines.join('\n'))
      lines = []
      length = cost = 0
    }
    fence.feed(line)
    lines.push(line)
    length += line.length + 1
    cost += lineCost
  }
  parts.push(lines.join('\n'))
  return parts
}
