import { useImperativeHandle, useLayoutEffect, useRef, type ComponentProps, type Ref } from 'react'

/** Browsers with `field-sizing` let the field grow by themselves. Measuring it lays the whole page out at each key. */
const GROWS = CSS.supports('field-sizing', 'content')

/** A text field that grows with its text; CSS sets the limit. */
export function AutoTextarea({ ref, autoFocus, ...props }: ComponentProps<'textarea'> & { ref?: Ref<HTMLTextAreaElement> }) {
  const area = useRef<HTMLTextAreaElement>(null)
  useImperativeHandle(ref, () => area.current!, [])

  useLayoutEffect(() => {
    if (GROWS) return
    const element = area.current!
    element.style.height = 'auto'
    element.style.height = `${element.scrollHeight}px`
  }, [props.value])

  useLayoutEffect(() => {
    const element = area.current!
    if (!autoFocus) return
    element.focus()
    element.setSelectionRange(element.value.length, element.value.length)
  }, [autoFocus])

  return <textarea ref={area} rows={1} {...props} />
}
