import { Icon } from '../icons'
import { dataUrl, type Image } from '../state/images'

interface Props {
  images: readonly Image[]
  onRemove: (key: string) => void
}

/** The images of a draft. */
export function ImageStrip({ images, onRemove }: Props) {
  if (images.length === 0) return null
  return (
    <ul className="strip" aria-label="Attached images">
      {images.map((image) => (
        <li key={image.key}>
          <img src={dataUrl(image)} alt={image.name || 'Image'} />
          <button type="button" title="Remove" onClick={() => onRemove(image.key)}>
            <Icon name="close" size={14} />
            <span className="visually-hidden">Remove {image.name || 'image'}</span>
          </button>
        </li>
      ))}
    </ul>
  )
}
