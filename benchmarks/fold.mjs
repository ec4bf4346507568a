// Folds the turns given on stdin with the published StreamProcessor; prints the time in ms.
import { StreamProcessor } from '@tanstack/ai'
import { readFileSync } from 'node:fs'

const turns = JSON.parse(readFileSync(0, 'utf8'))
const began = performance.now()
const processor = new StreamProcessor()
for (const turn of turns) {
  processor.prepareAssistantMessage()
  for (const chunk of turn) processor.processChunk(chunk)
}
const took = performance.now() - began
if (processor.getMessages().length !== 2 * turns.length) throw new Error('the fold is wrong')
console.log(took)
