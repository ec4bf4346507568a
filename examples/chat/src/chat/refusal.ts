/** What the user is told when a message was not taken. `status` is the HTTP status, undefined without an answer. */
export function refusalText(reason: Error & { status?: number }, kept: string): string {
  switch (reason.status) {
    case 409:
      return `An answer is being written in another tab or on another device. ${kept} Send it when that answer is finished.`
    case 401:
    case 403:
      return `You are not allowed to write here; signing in again may help. ${kept}`
    case 413:
      return `The message is too large. ${kept}`
    case undefined:
      return `The server cannot be reached. ${kept}`
    default:
      return `The server could not take the message (${reason.status}). ${kept}`
  }
}
