import type { UIMessage } from '@tanstack/ai-react'

/** The most bytes of messages in a request: API Gateway and Lambda refuse more than 6 MiB. */
export const MAX_REQUEST = 5.5 * 1024 * 1024

const LEFT_OUT = { type: 'text', content: '[An image that was sent here earlier]' } as const

/**
 * Return the messages to submit, without the oldest images if they are too large together.
 * The server stores only the messages at the end, which stay whole, so the chat loses nothing.
 */
export function fitRequest(messages: readonly UIMessage[], limit = MAX_REQUEST): UIMessage[] {
  const fitted = [...messages]
  const newest = fitted.findLastIndex((message) => message.role !== 'user') + 1
  let size = byteLength(fitted)
  for (let index = 0; index < newest && size > limit; index++) {
    const message = fitted[index]!
    if (!message.parts.some((part) => part.type === 'image')) continue
    const smaller = { ...message, parts: message.parts.map((part) => (part.type === 'image' ? LEFT_OUT : part)) }
    size -= byteLength(message) - byteLength(smaller)
    fitted[index] = smaller
  }
  return fitted
}

const encoder = new TextEncoder()
const byteLength = (value: unknown): number => encoder.encode(JSON.stringify(value)).length
