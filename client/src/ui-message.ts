/** One message of the chat, as far as this package reads it. */
export interface UIMessage {
  id: string
  role: string
  parts: ReadonlyArray<unknown>
}
