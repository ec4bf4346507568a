"""Which source the environment names: CHAT_SOURCE, CHAT_MODEL or OPENAI_MODEL, else the demo.

Settings are checked at once. The library behind a model is imported later, by the first run, because a cold start must
not wait for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..secret_settings import is_set, read_secret
from .lazy import LazySource
from .port import Source

logger = logging.getLogger(__name__)

_NAMES: Final = ("CHAT_SOURCE", "CHAT_MODEL", "OPENAI_MODEL")
_PROVIDERS: Final = ("bedrock", "openai", "anthropic", "google")
_AGENTS: Final = {
    # provider: the module that pydantic-ai needs for it, the variables that may hold its key
    "anthropic": ("anthropic", ("ANTHROPIC_API_KEY",)),
    "google": ("google.genai", ("GOOGLE_API_KEY", "GEMINI_API_KEY")),
}
_WRITE_MODEL: Final = (
    "write provider:model, such as bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0, openai:gpt-5, "
    "anthropic:claude-sonnet-4-5 or google:gemini-2.5-pro, or demo"
)


def source_from_environ(environ: Mapping[str, str] = os.environ) -> Source:
    """Return the source that the environment names. Raises ConfigurationError.

    CHAT_SOURCE is ``package.module:name`` of a source, a pydantic-ai agent, or an agent that speaks AG-UI. CHAT_MODEL
    is ``provider:model``. OPENAI_MODEL is a model behind the OpenAI protocol. Without one of them it is the demo, but
    on Lambda one must be set.
    """
    given = [name for name in _NAMES if environ.get(name, "").strip()]
    on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in environ
    if len(given) > 1:
        raise ConfigurationError(f"Both {given[0]} and {given[1]} are set; unset one: a chat has one model.")
    if given == ["CHAT_SOURCE"]:
        source = _named_source(environ["CHAT_SOURCE"].strip())
        # A laptop's developer sees at once what is wrong with it; a function must not wait for the import.
        return source if on_lambda else source.load_now()
    if given == ["CHAT_MODEL"]:
        return _model(environ["CHAT_MODEL"].strip(), environ)
    if given or environ.get("OPENAI_BASE_URL", "").strip():
        return _openai(environ)
    if on_lambda:
        raise ConfigurationError(f"No model is named. Set CHAT_MODEL: {_WRITE_MODEL}. Or set CHAT_SOURCE.")
    if is_set("OPENAI_API_KEY", environ):
        logger.warning("the demo answers, although OPENAI_API_KEY is set: name a model to use it, OPENAI_MODEL=…")
    return _demo()


def adapt(value: Any, name: str) -> Source:
    """Return what CHAT_SOURCE names as a source: agents are wrapped, classes made. Raises ConfigurationError."""
    from .agents import AgentSource, is_pydantic_agent
    from .agui import AguiSource, is_agui_agent

    if is_pydantic_agent(value):
        return AgentSource(value)
    if is_agui_agent(value):
        return AguiSource(value)
    if isinstance(value, type):
        try:
            value = value()
        except TypeError as error:
            raise ConfigurationError(f"CHAT_SOURCE names the class {name!r}, which cannot be made: {error}.") from error
    if not callable(value):
        raise ConfigurationError(
            f"CHAT_SOURCE names {name!r}, a {type(value).__name__}; it must be a function or an object to call with "
            "(messages, context), a pydantic-ai Agent, or an agent with run(RunAgentInput)."
        )
    return value  # type: ignore[no-any-return]


def _named_source(named: str) -> LazySource:
    module, separator, name = named.partition(":")
    if not separator or not module or not name:
        raise ConfigurationError(f"CHAT_SOURCE is {named!r}; write package.module:name.")
    if not _exists(module):
        raise ConfigurationError(f"CHAT_SOURCE names {named!r}, which cannot be imported: there is no {module!r} here.")

    def load() -> Source:
        try:
            value: Any = import_module(module)
            for attribute in name.split("."):
                value = getattr(value, attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigurationError(f"CHAT_SOURCE names {named!r}, which cannot be imported: {error}.") from error
        return adapt(value, named)

    return LazySource(named, load)


def _exists(module: str) -> bool:
    """Tell whether a module can be found, without importing the packages that it is in."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None or not rest:
        return spec is not None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    *between, last = rest
    for name in between:
        folders = [folder / name for folder in folders]
    return not folders or any((folder / last).is_dir() or list(folder.glob(f"{last}.*")) for folder in folders)


def _model(named: str, environ: Mapping[str, str]) -> Source:
    if named == "demo":
        return _demo()
    provider, _, model = named.partition(":")
    if provider not in _PROVIDERS or not model:
        raise ConfigurationError(f"CHAT_MODEL is {named!r}; {_WRITE_MODEL}.")
    if provider == "openai":
        system = environ.get("OPENAI_SYSTEM") or environ.get("CHAT_SYSTEM", "")
        return _openai({**environ, "OPENAI_MODEL": model, "OPENAI_SYSTEM": system})
    if provider == "bedrock":
        return _bedrock(model, environ)
    return _agent(provider, model, environ)


def _demo() -> Source:
    from .demo import demo_source

    return demo_source


def _openai(environ: Mapping[str, str]) -> Source:
    from .openai import openai_source_from_env

    return openai_source_from_env(environ)


def _bedrock(model: str, environ: Mapping[str, str]) -> Source:
    from .bedrock import BedrockSource

    if not _exists("boto3"):
        raise ConfigurationError("CHAT_MODEL names a model of Bedrock, which needs boto3: install resumable-chat[aws].")
    request: dict[str, Any] = {}
    guardrail = environ.get("BEDROCK_GUARDRAIL", "").strip()
    if guardrail:
        identifier, separator, version = guardrail.rpartition(":")
        if not separator or not (version.isdecimal() or version == "DRAFT"):
            raise ConfigurationError(f"BEDROCK_GUARDRAIL is {guardrail!r}; write its id or ARN, a colon, its version.")
        request["guardrailConfig"] = {"guardrailIdentifier": identifier, "guardrailVersion": version}
    return BedrockSource(
        model=model,
        region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None,
        request=request,
        system=environ.get("CHAT_SYSTEM") or None,
    )


def _agent(provider: str, model: str, environ: Mapping[str, str]) -> LazySource:
    """Return a plain pydantic-ai agent of a provider's model."""
    module, variables = _AGENTS[provider]
    if not (_exists("pydantic_ai") and _exists(module)):
        raise ConfigurationError(
            f"CHAT_MODEL names a model of {provider}, which needs pydantic-ai: install resumable-chat[agents]."
        )
    key = next((key for name in variables if (key := read_secret(name, environ).strip())), "")
    if not key:
        raise ConfigurationError(f"{variables[0]} is not set; CHAT_MODEL={provider}:{model} needs it.")
    system = environ.get("CHAT_SYSTEM", "")

    def load() -> Source:
        from .agents import AgentSource
        from .agents.plain import plain_agent

        return AgentSource(plain_agent(provider, model, api_key=key, system=system))

    return LazySource(f"{provider}:{model}", load)
