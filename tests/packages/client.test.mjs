// The packed client, installed into empty projects as a user would. Needs the registry: `node --test tests/packages`.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))
const LIMIT = { timeout: 600_000 }
const REACT = ['react@19.3.1', 'react-dom@19.3.1', '@types/react@19.3.0', '@types/react-dom@19.3.0', 'typescript@5.9.3']
const CHAT = ['@tanstack/ai-react@0.27.3', '@tanstack/ai-client@0.33.2', '@tanstack/ai@0.58.0']

let folder, tarball

async function run(command, args, cwd) {
  const env = { ...process.env, CI: '1', NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: undefined, NODE_TEST_CONTEXT: undefined }
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 })
    return stdout
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')} failed:\n${error.stdout}\n${error.stderr}`)
  }
}

/** An empty project with these files and the packed client. Returns its folder. */
async function project(name, files, packages = [], manifest = {}) {
  const root = join(folder, name)
  await mkdir(root)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  await writeFile(join(root, 'package.json'), JSON.stringify({ name, private: true, type: 'module', ...manifest }))
  await run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', tarball, ...packages], root)
  return root
}

/** All that is in the files of a folder whose names end so. */
async function contents(root, ending) {
  const names = (await readdir(root, { recursive: true })).filter((name) => name.endsWith(ending))
  return (await Promise.all(names.map((name) => readFile(join(root, name), 'utf8')))).join('\n')
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'client-package-'))
  const [packed] = JSON.parse(await run('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', folder], CLIENT))
  tarball = join(folder, packed.filename)
}, LIMIT)
after(() => folder && rm(folder, { recursive: true, force: true }))

const COMPONENT = `
import { useMemo, useSyncExternalStore } from 'react'
import { useChat } from '@tanstack/ai-react'
import { createS2Connection, runOutcome } from 'resumable-chat-client'

export function Chat({ id }: { id: string }) {
  const connection = useMemo(
    () =>
      createS2Connection({
        mode: 'session',
        sendUrl: '/api/chat',
        stopUrl: '/api/chat',
        subscribeUrl: '/api/chat/replay?id=' + id,
        body: { id },
      }),
    [id],
  )
  const status = useSyncExternalStore(connection.watch, () => connection.status, () => connection.status)
  const chat = useChat({ connection, threadId: id, live: true })
  const stop = async () => {
    chat.stop()
    await connection.stop()
  }
  return (
    <main>
      <p>The connection is {status.state}.</p>
      {chat.messages.map((message) => (
        <p key={message.id}>{runOutcome(message)?.outcome}</p>
      ))}
      <button onClick={() => void stop()}>Stop</button>
      <button onClick={() => connection.reconnect()}>Try now</button>
    </main>
  )
}
`
const SHOWN = /The connection is (<!-- -->)?paused/
const TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: 'ES2022',
    lib: ['ES2022', 'DOM', 'DOM.Iterable'],
    module: 'ESNext',
    moduleResolution: 'bundler',
    jsx: 'react-jsx',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  },
})

test('the package holds what it should, and says where its parts are', LIMIT, async () => {
  const root = await project('contents', {})
  const installed = join(root, 'node_modules/resumable-chat-client')
  const files = await readdir(installed, { recursive: true })
  const manifest = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  for (const file of ['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'src/index.ts']) assert.ok(files.includes(file), file)
  assert.deepEqual(files.filter((file) => /test|node_modules|eslint|tsconfig|lock/.test(file)), [])
  assert.equal(manifest.license, 'MIT')
  assert.equal(manifest.sideEffects, false)
  assert.equal('private' in manifest, false)
  for (const name of ['name', 'version', 'description', 'engines', 'exports', 'types']) assert.ok(manifest[name], name)
  // What a source map names is there.
  const { sources } = JSON.parse(await readFile(join(installed, 'dist/session.js.map'), 'utf8'))
  assert.deepEqual(sources, ['../src/session.ts'])
})

test('Node imports it, and reads a chat with it', LIMIT, async () => {
  const script = `
    import assert from 'node:assert/strict'
    import { createServer } from 'node:http'
    import { createS2Connection, DEFAULT_TIMING, runOutcome, S2Error } from 'resumable-chat-client'

    const server = createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      response.write('id: 1\\ndata: {"type":"MESSAGES_SNAPSHOT","messages":[]}\\n\\n')
    }).listen(0, '127.0.0.1', async () => {
      const base = 'http://127.0.0.1:' + server.address().port
      const connection = createS2Connection({ mode: 'session', sendUrl: base, subscribeUrl: base, stopUrl: base })
      for await (const chunk of connection.subscribe()) {
        assert.equal(chunk.type, 'MESSAGES_SNAPSHOT')
        assert.equal(connection.status.state, 'live')
        break
      }
      assert.ok(DEFAULT_TIMING.sendDeadline > 0 && S2Error && runOutcome)
      server.closeAllConnections()
      server.close()
      console.log('read')
    })
  `
  const root = await project('node', { 'index.mjs': script, 'chat.ts': TYPED, 'tsconfig.json': NODE_TSCONFIG }, [...CHAT, 'typescript@5.9.3'])
  assert.equal((await run(process.execPath, ['index.mjs'], root)).trim(), 'read')
  await run('npx', ['tsc', '-p', '.'], root)
})

const TYPED = `
import { ChatClient } from '@tanstack/ai-client'
import { createS2Connection, type S2Connection } from 'resumable-chat-client'

const connection = createS2Connection({ mode: 'session', sendUrl: '/a', subscribeUrl: '/b', stopUrl: '/c' })
connection satisfies S2Connection
export const client = new ChatClient({ connection })
export const stopped: Promise<void> = connection.stop()
// @ts-expect-error Without stopUrl there may be no stop.
createS2Connection({ sendUrl: '/a' }).stop()
`
const NODE_TSCONFIG = JSON.stringify({
  compilerOptions: { target: 'ES2022', lib: ['ES2022', 'DOM', 'DOM.Iterable'], module: 'NodeNext', strict: true, noEmit: true, skipLibCheck: true },
})

test('Vite builds it for the browser and the server, and leaves out what nobody uses', LIMIT, async () => {
  const files = {
    'index.html': '<div id="root"></div><script type="module" src="/main.tsx"></script>',
    'main.tsx': "import { createRoot } from 'react-dom/client'\nimport { Chat } from './chat'\ncreateRoot(document.getElementById('root')!).render(<Chat id=\"c1\" />)",
    'unused.ts': "import { createS2Connection } from 'resumable-chat-client'\nimport * as all from 'resumable-chat-client'\nexport const nothing = 'used'\nvoid [() => createS2Connection, () => all]",
    'server.tsx': "import { renderToString } from 'react-dom/server'\nimport { Chat } from './chat'\nexport const html = () => renderToString(<Chat id=\"c1\" />)",
    'chat.tsx': COMPONENT,
    'tsconfig.json': TSCONFIG,
  }
  const root = await project('vite', files, [...REACT, ...CHAT, 'vite@7.3.8', '@vitejs/plugin-react@5.2.0'])
  await run('npx', ['tsc', '-p', '.'], root)
  await run('npx', ['vite', 'build'], root)
  assert.match(await contents(join(root, 'dist/assets'), '.js'), /sendUrl is missing/)
  await run('npx', ['vite', 'build', '--ssr', 'server.tsx', '--outDir', 'server'], root)
  const { html } = await import(pathToFileURL(join(root, 'server/server.js')))
  assert.match(html(), SHOWN)
  await run('npx', ['vite', 'build', '--ssr', 'unused.ts', '--outDir', 'unused'], root)
  assert.doesNotMatch(await contents(join(root, 'unused'), '.js'), /sendUrl is missing/)
})

test('Next.js renders it on the server', LIMIT, async () => {
  const files = {
    'app/layout.tsx': 'export default function Layout({ children }: { children: React.ReactNode }) {\n  return <html lang="en"><body>{children}</body></html>\n}',
    'app/page.tsx': "import { Chat } from './chat'\nexport default function Page() {\n  return <Chat id=\"c1\" />\n}",
    'app/chat.tsx': `'use client'\n${COMPONENT}`,
    'tsconfig.json': TSCONFIG,
  }
  const root = await project('next', files, [...REACT, ...CHAT, 'next@16.4.6', '@types/node@20.19.0'], { type: undefined })
  await run('npx', ['next', 'build'], root)
  assert.match(await contents(join(root, '.next/server/app'), 'index.html'), SHOWN)
})

const [major, minor] = process.versions.node.split('.').map(Number)
const old = major < 22 || (major === 22 && minor < 12)

test('TanStack Start renders it on the server', { ...LIMIT, skip: old && 'TanStack Start needs Node 22.12' }, async () => {
  const files = {
    'vite.config.ts': "import { defineConfig } from 'vite'\nimport { tanstackStart } from '@tanstack/react-start/plugin/vite'\nimport react from '@vitejs/plugin-react'\nexport default defineConfig({ plugins: [tanstackStart(), react()] })",
    'src/router.tsx': "import { createRouter } from '@tanstack/react-router'\nimport { routeTree } from './routeTree.gen'\nexport const getRouter = () => createRouter({ routeTree })",
    'src/routes/__root.tsx': "import { createRootRoute, HeadContent, Outlet, Scripts } from '@tanstack/react-router'\nexport const Route = createRootRoute({\n  component: () => <html><head><HeadContent /></head><body><Outlet /><Scripts /></body></html>,\n})",
    'src/routes/index.tsx': "import { createFileRoute } from '@tanstack/react-router'\nimport { Chat } from '../chat'\nexport const Route = createFileRoute('/')({ component: () => <Chat id=\"c1\" /> })",
    'src/chat.tsx': COMPONENT,
    'tsconfig.json': TSCONFIG,
  }
  const start = ['@tanstack/react-start@1.169.5', '@tanstack/react-router@1.170.46', 'vite@8.3.8', '@vitejs/plugin-react@6.3.0']
  const root = await project('start', files, [...REACT, ...CHAT, ...start])
  await run('npx', ['vite', 'build'], root)
  const { default: server } = await import(pathToFileURL(join(root, 'dist/server/server.js')))
  const response = await server.fetch(new Request('http://localhost/'))
  assert.match(await response.text(), SHOWN)
})
