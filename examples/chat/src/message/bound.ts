import { Fence } from './blocks'

/** What is rendered at once: Markdown that is cheap enough to parse, code, or text that is shown as it was written. */
export interface Piece {
  kind: 'markdown' | 'code' | 'plain'
  text: string
  /** The language of code, empty if the fence names none. */
  language?: string
}

/** The most characters of Markdown in one piece. */
export const MAX_LENGTH = 8_000

/** The most marks in one piece. The parser's work can grow with their square. */
export const MAX_COST = 400

/** Marks that the parser compares with each other, nests, or looks far around: emphasis, brackets, quotes, items, mail. */
const HEAVY = /\*+|_+|~+|[[\]>@]|(?:[-+]|\d[.)])[ \t]/g
/** Marks that cost it about the same wherever they are. */
const LIGHT = /[`<&|\\\n]|www\./g
const LIGHT_COST = 0.25

const CODE_BLOCK = /^(`{3,}|~{3,})([^`\n]*)\n([^]*)$/
const DELIMITER_ROW = /^\|?[ \t:|-]*-[ \t:|-]*$/

/** Return about how much work a text is for the parser, counted in marks. */
export function costOf(text: string): number {
  return (text.match(HEAVY)?.length ?? 0) + (text.match(LIGHT)?.length ?? 0) * LIGHT_COST
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
  const links = new Links(block)
  return cutLines(rest, head, links.any ? MAX_COST / 2 : MAX_COST).map((part) => {
    const text = links.addTo(head + part)
    return isCheap(text) ? { kind: 'markdown', text } : { kind: 'plain', text: head + part }
  })
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
function cutLines(text: string, head: string, maxCost: number): string[] {
  const budget = { length: MAX_LENGTH - head.length, cost: maxCost - costOf(head) }
  const parts: string[] = []
  const fence = new Fence()
  let lines: string[] = []
  let length = 0
  let cost = 0
  for (const line of text.split('\n')) {
    const lineCost = costOf(`${line}\n`)
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

/** The link definitions of a block that is cut, such as `[1]: https://example.com`: each part needs those it refers to. */
class Links {
  readonly #lines: Map<string, string>

  constructor(block: string) {
    const found = [...block.matchAll(/^ {0,3}\[([^\]\n^][^\]\n]{0,998})\]:[ \t]*\S.*$/gm)].reverse()
    this.#lines = new Map(found.map(([line, label]) => [label!.trim().toLowerCase(), line]))
  }

  get any(): boolean {
    return this.#lines.size > 0
  }

  addTo(part: string): string {
    if (!this.any) return part
    const named = new Set([...part.matchAll(/\[([^[\]\n]+)\]/g)].map(([, label]) => label!.trim().toLowerCase()))
    const lines = [...named].map((label) => this.#lines.get(label)).filter((line) => line && !part.includes(line))
    return lines.length > 0 ? `${part}\n\n${lines.join('\n')}` : part
  }
}
