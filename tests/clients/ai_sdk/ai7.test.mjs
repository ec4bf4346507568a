// Version 7 needs Node 22. Under an older one, this file runs itself with the Node that npm installed.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

if (Number(process.versions.node.split('.')[0]) >= 22) {
  const ai = await import('ai7')
  const { suite } = await import('./suite.mjs')
  suite('ai 7', ai)
} else {
  test('ai 7 under Node 22', async () => {
    const node = createRequire(import.meta.url).resolve(`node-linux-${process.arch}/bin/node`)
    const { NODE_TEST_CONTEXT, ...env } = process.env
    const child = spawn(node, ['--test', '--test-reporter=spec', fileURLToPath(import.meta.url)], { stdio: 'pipe', env })
    let said = ''
    child.stdout.on('data', (data) => (said += data))
    child.stderr.on('data', (data) => (said += data))
    const [code] = await once(child, 'exit')
    assert.equal(code, 0, said.slice(-8000))
  })
}
