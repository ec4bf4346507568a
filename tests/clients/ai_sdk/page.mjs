// Pages as users of `useChat` write them, without a framework, and what they show.

/** The state that the framework bindings keep; `ai` is the package, in any version. */
export function chatClass(ai) {
  return class Chat extends ai.AbstractChat {
    constructor({ messages = [], ...options }) {
      const state = {
        status: 'ready',
        error: undefined,
        messages,
        pushMessage: (message) => (state.messages = [...state.messages, message]),
        popMessage: () => (state.messages = state.messages.slice(0, -1)),
        replaceMessage: (index, message) =>
          (state.messages = state.messages.map((old, at) => (at === index ? structuredClone(message) : old))),
        snapshot: (value) => structuredClone(value),
      }
      super({ ...options, state })
    }
  }
}

/** A message as JSON carries it, without what a stream and a loaded chat may differ in. */
export const plain = (messages) =>
  JSON.parse(
    JSON.stringify(messages, (key, value) =>
      ['callProviderMetadata', 'rawInput', 'inputEncoding', 'preliminary'].includes(key) ? undefined : value,
    ),
  ).map((message) => ({
    ...message,
    parts: message.parts.map(({ id, ...part }) => {
      // A resumed call cannot say that it was approved; both versions show its result all the same.
      if (part.state?.startsWith('output-')) delete part.approval
      return part
    }),
  }))

export async function load(url, id) {
  const response = await fetch(`${url}/api/ai-sdk/chat/${encodeURIComponent(id)}/messages`)
  if (!response.ok) throw new Error(await response.text())
  return response.json()
}

/** Opens a page on a chat: it loads the messages and resumes, as `useChat({messages, resume: true})` does. */
export async function openPage(ai, url, id, { transport = {}, makeTransport, ...options } = {}) {
  const errors = []
  const data = []
  const ends = []
  const calls = []
  const Chat = chatClass(ai)
  const api = `${url}/api/ai-sdk/chat`
  const made = makeTransport ? makeTransport(api, id) : new ai.DefaultChatTransport({ api, ...transport })
  const chat = new Chat({
    id,
    messages: await load(url, id),
    transport: made,
    onError: (error) => errors.push(error),
    onData: (part) => data.push(part),
    onFinish: (end) => ends.push(end),
    onToolCall: ({ toolCall }) => calls.push(toolCall),
    ...options,
  })
  const resumed = chat.resumeStream()
  const page = {
    chat,
    transport: made,
    errors,
    data,
    ends,
    calls,
    resumed,
    shown: () => plain(chat.messages),
    text: () =>
      chat.messages
        .filter(({ role }) => role === 'assistant')
        .flatMap(({ parts }) => parts.filter(({ type }) => type === 'text').map(({ text }) => text))
        .join('\n'),
    settled: () => ['ready', 'error'].includes(chat.status),
    stopOnServer: () => fetch(`${api}/${id}/stop`, { method: 'POST' }),
    leave: () => chat.stop(),
    async reload() {
      await page.leave()
      return openPage(ai, url, id, { transport, makeTransport, ...options })
    },
  }
  return page
}
