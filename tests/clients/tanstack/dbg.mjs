import { startServer, until, stored } from '../server.mjs'
import { startProxy } from '../proxy.mjs'
import { openPage } from './page.mjs'
const server = await startServer()
const id='x1'
const proxy = await startProxy(server.url, ({method})=> method==='POST'?{events:0,then:'break'}:undefined)
const page = openPage(proxy.url,id,{client:{onChunk:c=>console.log(Date.now()%100000,c.type,c.delta??c.finishReason??'',c), onFinish:()=>console.log('FINISH')}})
await page.send('reason tool count 6')
for (let i=0;i<5;i++){
console.log('sent', page.client.getIsLoading(), page.client.getStatus(), page.text(), page.errors)
await new Promise(r=>setTimeout(r,300))}
console.log(proxy.seen.map(s=>s.method+' '+s.headers['last-event-id']))
await server.close(); process.exit(0)
