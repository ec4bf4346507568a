import { useChangeDraft, useDraft } from '../state/drafts'
import { Composer } from './Composer'
import { useAttach, useDrop } from './useAttach'

interface Props {
  id: string
  busy: boolean
  stopping: boolean
  onProblem: (text: string) => void
  onSubmit: () => void
  onStop: () => void
}

/** The composer with the draft of one chat. Typing renders this alone. */
export function ComposerDock({ id, onProblem, ...props }: Props) {
  const draft = useDraft(id)
  const change = useChangeDraft(id)
  const attach = useAttach(change, onProblem)
  const dropping = useDrop(attach)
  return (
    <>
      <Composer draft={draft} change={change} attach={attach} {...props} />
      {dropping && (
        <div className="drop" aria-hidden="true">
          Drop images to attach them
        </div>
      )}
    </>
  )
}
