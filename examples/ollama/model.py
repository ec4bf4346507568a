"""A model that runs on this machine, in Ollama: https://ollama.com. Any server with OpenAI's protocol works like this.

ollama pull llama3.2
make dev CHAT_SOURCE=examples.ollama.model:answer
"""

import os

from resumable_chat import OpenAISource

answer = OpenAISource(
    model=os.environ.get("OLLAMA_MODEL") or "llama3.2",
    base_url=os.environ.get("OLLAMA_URL") or "http://localhost:11434/v1",
    system="Answer in one short paragraph.",
    request={"temperature": 0.2},
    timeout=300,  # seconds: Ollama loads a model when it is first asked
)
