// A network between a device and the server, which can be lost: Chromium's own "offline" leaves open streams alone.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** Forwards a port of its own to `url` until `lose` cuts what is open and takes nothing new. */
export async function startNetwork(url) {
  const { port } = new URL(url)
  const sockets = new Set()
  let lost = false
  const server = createServer((near) => {
    if (lost) return near.destroy()
    const far = connect(Number(port), 'localhost')
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from)
      from.on('close', () => (sockets.delete(from), to.destroy()))
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')

  const cut = () => sockets.forEach((socket) => socket.destroy())
  return {
    url: `http://localhost:${server.address().port}`,
    async lose(device) {
      lost = true
      await device.setOffline(true)
      cut()
    },
    async find(device) {
      lost = false
      await device.setOffline(false)
    },
    async close() {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}
