// Pictures for the tests, painted in the page.

/** A PNG of this size that does not compress well, as base64. */
export function paintedImage(page, width, height) {
  return page.evaluate(
    ([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const context = canvas.getContext('2d')
      for (let index = 0; index < 400; index++) {
        context.fillStyle = `hsl(${(index * 47) % 360} 70% ${30 + (index % 50)}%)`
        const at = (factor, size) => ((index * factor) % 101) / 101 * size
        context.fillRect(at(37, width), at(61, height), width / (3 + (index % 9)), height / (3 + (index % 7)))
      }
      return canvas.toDataURL('image/png').split(',')[1]
    },
    [width, height],
  )
}
