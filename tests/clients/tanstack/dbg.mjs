import { startServer, until } from '../server.mjs'
import { openPage } from './page.mjs'
const server = await startServer()
const id='x1'
let page = openPage(server.url,id)
await page.send('count 2')
page.send('reason tool count 40 every 20')
await until('half', () => page.text().includes('10 '))
page = page.reload()
for (let i=0;i<12;i++){ await new Promise(r=>setTimeout(r,150)); console.log(i, page.client.getIsLoading(), page.client.getStatus(), page.errors, JSON.stringify(page.shown()).slice(-200)) }
const h = await (await fetch(`${server.url}/api/chat/stream?threadId=${id}`)).text(); console.log(h.slice(-300))
console.log(server.complaints())
await server.close(); process.exit(0)
