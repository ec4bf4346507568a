// The published StreamProcessor as a judge: one input per line on stdin, one result per line on stdout.
import { createInterface } from 'node:readline'
import { StreamProcessor } from '@tanstack/ai'

const write = console.log
console.log = console.warn = console.error = () => {}

for await (const line of createInterface({ input: process.stdin })) {
  const { chunks, resets } = JSON.parse(line)
  const processor = new StreamProcessor()
  let result
  try {
    chunks.forEach((chunk, index) => {
      if (resets.includes(index)) processor.prepareAssistantMessage()
      processor.processChunk(chunk)
    })
    result = { messages: processor.getMessages().map(({ createdAt, ...message }) => message) }
  } catch (error) {
    result = { error: String(error) }
  }
  write(JSON.stringify(result))
}
