// The published StreamProcessor as a judge: one input per line on stdin, one result per line on stdout.
// Each chunk is first restored from its wire form, as ChatClient does before its processor sees it.
import { createInterface } from 'node:readline'
import { StreamProcessor } from '@tanstack/ai'
import { restoreInboundChunk } from '@tanstack/ai/client'

const write = console.log
console.log = console.warn = console.error = () => {}

for await (const line of createInterface({ input: process.stdin })) {
  const { chunks, resets } = JSON.parse(line)
  const processor = new StreamProcessor()
  let result
  try {
    chunks.forEach((chunk, index) => {
      if (resets.includes(index)) processor.prepareAssistantMessage()
      processor.processChunk(restoreInboundChunk(chunk))
    })
    result = { messages: processor.getMessages().map(({ createdAt, ...message }) => message) }
  } catch (error) {
    result = { error: String(error) }
  }
  write(JSON.stringify(result))
}
