/** What a message offers its reader. The functions keep their identity, so that messages stay memoised. */
export interface MessageActions {
  /** Ask for another answer in place of this one and all that followed it. */
  regenerate: (messageId: string) => void
  /** Ask once more for the last answer. */
  retry: () => void
  startEdit: (messageId: string) => void
  cancelEdit: () => void
  /** Send a message with another text, in place of itself and all that followed it. */
  edit: (messageId: string, text: string) => void
  /** Return the text of an edit that could not be sent. */
  editedText: (messageId: string) => string | undefined
}
