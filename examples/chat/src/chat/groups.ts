import type { UIMessage } from '@tanstack/ai-react'
import { textOf } from '../message/parts'

/** Messages that a long chat lays out together. */
export const GROUP_SIZE = 10

/** The most messages of a chat that is laid out as a whole. */
export const SHORT_CHAT = 200

/** Cut a chat into groups. All but the last one have `GROUP_SIZE` messages, and keep them while the chat grows. */
export function groupsOf(messages: readonly UIMessage[]): (readonly UIMessage[])[] {
  const groups = []
  for (let at = 0; at < messages.length; at += GROUP_SIZE) groups.push(messages.slice(at, at + GROUP_SIZE))
  return groups
}

const LINE_LENGTH = 85
const LINE_HEIGHT = 26
const MESSAGE_HEIGHT = 90

/** Return about how many pixels high a group is, so that the scroll bar is about right before it was laid out. */
export function heightOf(group: readonly UIMessage[]): number {
  const lines = group.reduce((sum, message) => sum + Math.ceil(textOf(message).length / LINE_LENGTH), 0)
  return group.length * MESSAGE_HEIGHT + lines * LINE_HEIGHT
}

/** Return whether two groups hold the same messages. */
export const sameMessages = (one: readonly UIMessage[], other: readonly UIMessage[]): boolean =>
  one.length === other.length && one.every((message, index) => message === other[index])
