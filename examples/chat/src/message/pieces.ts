import { splitBlocks } from './blocks'
import { boundBlock, type Piece } from './bound'
import { closeMarks } from './closeMarks'

/** Return what to render of a Markdown text; `growing` says that more of it will come. */
export function piecesOf(text: string, growing = false): Piece[] {
  const pieces = splitBlocks(text).flatMap(boundBlock)
  const last = pieces.at(-1)
  if (growing && last?.kind === 'markdown') pieces[pieces.length - 1] = { ...last, text: closeMarks(last.text) }
  return pieces
}
