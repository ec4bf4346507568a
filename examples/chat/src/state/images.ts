import { randomId } from './ids'

/** An image of a draft. `value` is base64 without a prefix. */
export interface Image {
  key: string
  name: string
  mimeType: string
  value: string
}

export const MAX_IMAGES = 4

/** The most characters of base64 in one message, which has to fit into one record of the log (1 MiB). */
const MAX_MESSAGE = 900_000
const MAX_IMAGE = Math.floor(MAX_MESSAGE / MAX_IMAGES)
const SIDES = [1568, 1280, 1024, 768, 512]
const QUALITIES = [0.85, 0.7, 0.55]
const SENT_AS_IS = new Set(['image/jpeg', 'image/png', 'image/webp'])

export const dataUrl = (image: Pick<Image, 'mimeType' | 'value'>): string => `data:${image.mimeType};base64,${image.value}`

/**
 * Read an image file, and scale it down until it is small enough to send.
 * Throws an Error with a text for the user if the file cannot be read as an image.
 */
export async function readImage(file: File): Promise<Image> {
  const made = { key: randomId(8), name: file.name }
  let bitmap: ImageBitmap
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
  } catch {
    throw new Error(`${file.name || 'The file'} is not an image that this browser can read.`)
  }
  try {
    const longest = Math.max(bitmap.width, bitmap.height)
    if (SENT_AS_IS.has(file.type) && longest <= SIDES[0]! && base64Length(file.size) <= MAX_IMAGE) {
      return { ...made, mimeType: file.type, value: await base64(file) }
    }
    for (const side of SIDES) {
      for (const quality of QUALITIES) {
        const blob = await jpeg(bitmap, Math.min(1, side / longest), quality)
        if (base64Length(blob.size) <= MAX_IMAGE) return { ...made, mimeType: 'image/jpeg', value: await base64(blob) }
      }
    }
  } finally {
    bitmap.close()
  }
  throw new Error(`${file.name || 'The image'} is still too large after scaling it down.`)
}

const base64Length = (bytes: number): number => Math.ceil(bytes / 3) * 4

async function jpeg(bitmap: ImageBitmap, scale: number, quality: number): Promise<Blob> {
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(bitmap.width * scale))
  canvas.height = Math.max(1, Math.round(bitmap.height * scale))
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('This browser cannot scale images.')
  context.fillStyle = '#fff' // JPEG has no transparency.
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The image cannot be scaled.'))), 'image/jpeg', quality)
  })
}

async function base64(blob: Blob): Promise<string> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result as string)
    reader.onerror = () => reject(new Error('The file cannot be read.'))
    reader.readAsDataURL(blob)
  })
  return url.slice(url.indexOf(',') + 1)
}
