// Pictures for the tests, painted in the page: PNGs as base64.

/** Coloured areas. */
export function paintedImage(page, width, height) {
  return page.evaluate(
    ([width, height]) => {
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const context = canvas.getContext('2d')
      for (let index = 0; index < 400; index++) {
        context.fillStyle = `hsl(${(index * 47) % 360} 70% ${30 + (index % 50)}%)`
        const at = (factor, size) => (((index * factor) % 101) / 101) * size
        context.fillRect(at(37, width), at(61, height), width / (3 + (index % 9)), height / (3 + (index % 7)))
      }
      return canvas.toDataURL('image/png').split(',')[1]
    },
    [width, height],
  )
}

/** Noise, which stays large however it is compressed. */
export function noiseImage(page, side) {
  return page.evaluate((side) => {
    const canvas = Object.assign(document.createElement('canvas'), { width: side, height: side })
    const context = canvas.getContext('2d')
    const pixels = context.createImageData(side, side)
    let seed = 1
    for (let index = 0; index < pixels.data.length; index++) {
      seed = (seed * 1103515245 + 12345) % 2 ** 31
      pixels.data[index] = index % 4 === 3 ? 255 : (seed >> 16) & 255
    }
    context.putImageData(pixels, 0, 0)
    return canvas.toDataURL('image/png').split(',')[1]
  }, side)
}
