"""Models behind the OpenAI chat completions protocol: api.openai.com, vLLM, Ollama, OpenRouter and many others."""

from .source import DEFAULT_BASE_URL, OpenAISource, openai_source_from_env

__all__ = ["DEFAULT_BASE_URL", "OpenAISource", "openai_source_from_env"]
