import type { UIMessage } from '@tanstack/ai-react'

type Part = UIMessage['parts'][number]

/** A tool call with its result. The texts are ready to be shown. */
export interface ToolUse {
  id: string
  name: string
  state: 'writing' | 'running' | 'approval' | 'done' | 'failed' | 'interrupted'
  input: string
  output?: string
  error?: string
}

/** One thing that a message shows. */
export type Shown =
  | { kind: 'text'; text: string }
  | { kind: 'reasoning'; text: string }
  | { kind: 'tool'; use: ToolUse }
  | { kind: 'image'; url: string }
  | { kind: 'link'; url: string; label: string }
  | { kind: 'data'; text: string }

/** Return the parts of a message as they are shown; `writing` says that more of it will come. */
export function shownParts(message: UIMessage, writing: boolean): Shown[] {
  const shown: Shown[] = []
  for (const part of message.parts) {
    const item = show(part, message, writing)
    if (item !== null) shown.push(item)
  }
  return shown
}

/** Return whether a message has anything to show. */
export function hasContent(message: UIMessage): boolean {
  return message.parts.some((part) => !(part.type === 'text' || part.type === 'thinking') || part.content.trim() !== '')
}

/** Return the text of a message, without reasoning and tools. */
export function textOf(message: UIMessage): string {
  return message.parts
    .map((part) => (part.type === 'text' ? part.content : ''))
    .filter(Boolean)
    .join('\n\n')
}

function show(part: Part, message: UIMessage, writing: boolean): Shown | null {
  switch (part.type) {
    case 'text':
      return part.content.trim() ? { kind: 'text', text: part.content } : null
    case 'thinking':
      return part.content.trim() ? { kind: 'reasoning', text: part.content } : null
    case 'tool-call':
      return { kind: 'tool', use: toolUse(part, message, writing) }
    case 'tool-result': {
      if (message.parts.some((other) => other.type === 'tool-call' && other.id === part.toolCallId)) return null
      const state = part.state === 'error' ? 'failed' : 'done'
      const output = format(part.content)
      return { kind: 'tool', use: { id: part.toolCallId, name: part.name ?? 'tool', state, input: '', output } }
    }
    case 'image':
    case 'audio':
    case 'video':
    case 'document': {
      const { source } = part
      if (source.type === 'data') {
        const url = `data:${source.mimeType};base64,${source.value}`
        return part.type === 'image' ? { kind: 'image', url } : { kind: 'data', text: `${part.type} (${source.mimeType})` }
      }
      return /^https?:/i.test(source.value) ? { kind: 'link', url: source.value, label: part.type } : null
    }
    case 'structured-output':
      return { kind: 'data', text: format(part.data ?? part.partial ?? part.raw) }
    default:
      return null
  }
}

type CallPart = Extract<Part, { type: 'tool-call' }>

function toolUse(part: CallPart, message: UIMessage, writing: boolean): ToolUse {
  const result = message.parts.find((other) => other.type === 'tool-result' && other.toolCallId === part.id)
  const use: ToolUse = {
    id: part.id,
    name: part.name || 'tool',
    state: stateOf(part, result !== undefined, writing),
    input: format(part.input ?? part.arguments),
  }
  if (result?.type === 'tool-result') {
    use.output = format(result.content)
    if (result.state === 'error') {
      use.state = 'failed'
      use.error = result.error || use.output
    }
  } else if (part.output !== undefined) {
    use.output = format(part.output)
  }
  return use
}

function stateOf(part: CallPart, answered: boolean, writing: boolean): ToolUse['state'] {
  if (part.state === 'error') return 'failed'
  if (part.state === 'complete' || answered || part.output !== undefined) return 'done'
  if (part.state === 'approval-requested') return 'approval'
  if (!writing) return 'interrupted'
  return part.state === 'input-complete' || part.state === 'approval-responded' ? 'running' : 'writing'
}

/** Return JSON laid out over lines, and anything else as it is. */
function format(value: unknown): string {
  if (typeof value !== 'string') return value === undefined ? '' : layOut(value)
  try {
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'object' && parsed !== null ? layOut(parsed) : value
  } catch {
    return value
  }
}

const LINE = 72

/** Return JSON over as few lines as fit; `key` is what goes before it on its first line. */
function layOut(value: unknown, indent = '', key = ''): string {
  const flat = key + JSON.stringify(value, null, 1).replace(/\n */g, ' ')
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= LINE) return flat
  const deeper = `${indent}  `
  const [open, close, rows] = Array.isArray(value)
    ? ['[', ']', value.map((item) => layOut(item, deeper))]
    : ['{', '}', Object.entries(value).map(([name, item]) => layOut(item, deeper, `${JSON.stringify(name)}: `))]
  return `${key}${open}\n${rows.map((row) => deeper + row).join(',\n')}\n${indent}${close}`
}
