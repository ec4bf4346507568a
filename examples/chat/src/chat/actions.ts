/** What a message offers its reader. The functions keep their identity, so that messages stay memoised. */
export interface MessageActions {
  /** Write an answer anew, and drop what followed it. */
  regenerate: (messageId: string) => void
  startEdit: (messageId: string) => void
  cancelEdit: () => void
  /** Send a message once more with another text, in place of the one it was and all that followed. */
  edit: (messageId: string, text: string) => void
  /** The text of an edit that could not be sent. */
  editedText: (messageId: string) => string | undefined
}
