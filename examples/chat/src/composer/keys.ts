interface Key {
  key: string
  shiftKey: boolean
  keyCode: number
  isComposing: boolean
}

/** The `keyCode` of every key that an input method handles. */
const INPUT_METHOD = 229

/**
 * Return whether a key belongs to an input method (Chinese, Japanese, Korean …), which is composing a character.
 *
 * Safari ends the composition before it reports the Enter that ended it: `isComposing` is false by then, and only the
 * old `keyCode` tells.
 */
export function composes({ isComposing, keyCode }: Pick<Key, 'isComposing' | 'keyCode'>): boolean {
  return isComposing || keyCode === INPUT_METHOD
}

/** Return whether a key sends the text. */
export const submits = (key: Key): boolean => key.key === 'Enter' && !key.shiftKey && !composes(key)
