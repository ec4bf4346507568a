import { useCallback, useEffect, useState } from 'react'
import type { ChangeDraft } from '../state/drafts'
import { MAX_IMAGES, readImage } from '../state/images'

/** Return a function that attaches image files to the draft, one after the other. `onProblem` hears what was refused. */
export function useAttach(change: ChangeDraft, onProblem: (text: string) => void) {
  return useCallback(
    async (files: Iterable<File>) => {
      for (const file of files) {
        try {
          const image = await readImage(file)
          let full = false
          change((draft) => {
            full = draft.images.length >= MAX_IMAGES
            return full ? draft : { ...draft, images: [...draft.images, image] }
          })
          if (full) {
            onProblem(`A message can have ${MAX_IMAGES} images. Send the others with the next message.`)
            return
          }
        } catch (error) {
          onProblem(error instanceof Error ? error.message : 'The image cannot be read.')
        }
      }
    },
    [change, onProblem],
  )
}

/** Attach files that are dropped anywhere on the page. Return true while files are held over it. */
export function useDrop(attach: (files: Iterable<File>) => void): boolean {
  const [over, setOver] = useState(false)

  useEffect(() => {
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
    const onOver = (event: DragEvent) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      setOver(true)
    }
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false)
    }
    const onDrop = (event: DragEvent) => {
      if (!holdsFiles(event)) return
      event.preventDefault()
      setOver(false)
      attach([...(event.dataTransfer?.files ?? [])])
    }
    window.addEventListener('dragover', onOver)
    window.addEventListener('dragleave', onLeave)
    window.addEventListener('drop', onDrop)
    return () => {
      window.removeEventListener('dragover', onOver)
      window.removeEventListener('dragleave', onLeave)
      window.removeEventListener('drop', onDrop)
    }
  }, [attach])

  return over
}
