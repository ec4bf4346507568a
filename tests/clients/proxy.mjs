// A proxy between client and server that cuts responses where a test says so.
import { once } from 'node:events'
import { createServer, request } from 'node:http'

/**
 * Forwards a port of its own to `url`. `plan(request, number)` says what becomes of the response with this number:
 * `{events, then}` lets so many events through, and then breaks the body off (`'break'`), breaks it off in the middle
 * of the next event's line (`'mid-line'`), ends it (`'end'`) or says nothing more (`'silence'`). Nothing: all goes through.
 */
export async function startProxy(url, plan = () => undefined) {
  let number = 0
  const seen = []
  const sockets = new Set()
  const server = createServer((asked, answer) => {
    const what = plan(asked, number++)
    seen.push({ method: asked.method, url: asked.url, headers: asked.headers })
    const far = request(url + asked.url, { method: asked.method, headers: asked.headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers)
      answer.flushHeaders()
      if (what === undefined) return response.pipe(answer)
      let left = what.events
      let text = ''
      let cut = false
      const over = () => {
        cut = true
        response.destroy()
        if (what.then === 'end') answer.end()
        else if (what.then !== 'silence') setImmediate(() => answer.destroy())
      }
      response.setEncoding('utf8')
      response.on('data', (part) => {
        text += part
        for (let end; !cut && (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
          const event = text.slice(0, end + 2)
          if (!event.includes('data: ')) {
            answer.write(event)
          } else if (left-- > 0) {
            answer.write(event)
          } else {
            if (what.then === 'mid-line') answer.write(event.slice(0, Math.ceil(event.length / 2)))
            over()
          }
        }
      })
      response.on('end', () => cut || answer.end(text))
    })
    far.on('error', () => answer.destroy())
    answer.on('close', () => far.destroy())
    asked.pipe(far)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    async close() {
      server.close()
      sockets.forEach((socket) => socket.destroy())
      await once(server, 'close')
    },
  }
}
