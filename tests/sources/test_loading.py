"""The environment names the source, and unusable settings get an error that says what to write."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from resumable_chat import ConfigurationError, SourceContext
from resumable_chat.settings import source_from_environ
from resumable_chat.sources.agui import AguiSource
from resumable_chat.sources.bedrock import BedrockSource
from resumable_chat.sources.demo import demo_source
from resumable_chat.sources.lazy import LazySource
from resumable_chat.sources.openai import OpenAISource
from resumable_chat.sources.port import iterate

ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f"}
CONTEXT = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")


async def my_source(messages: Any, context: Any) -> AsyncIterator[Any]:
    yield "hello"


class MySource:
    def __call__(self, messages: Any) -> list[str]:
        return ["hello"]


class NeedsMore:
    def __init__(self, more: int) -> None: ...

    def __call__(self, messages: Any) -> list[str]:
        return []


class MyAgent:
    async def run(self, given: Any) -> AsyncIterator[Any]:
        yield {}


class Holder:
    source = staticmethod(my_source)


my_agent = MyAgent()
not_a_source = 5


def named(name: str, **more: str) -> Any:
    return source_from_environ({"CHAT_SOURCE": f"{__name__}:{name}", **more})


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, type(demo_source)),
        ({"CHAT_MODEL": "demo"}, type(demo_source)),
        ({"CHAT_MODEL": "demo", **ON_LAMBDA}, type(demo_source)),
        ({"CHAT_SOURCE": "", "CHAT_MODEL": " ", "OPENAI_MODEL": ""}, type(demo_source)),
        ({"OPENAI_MODEL": "m", "OPENAI_API_KEY": "k"}, OpenAISource),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://localhost:11434/v1"}, OpenAISource),
        ({"CHAT_MODEL": "openai:m", "OPENAI_API_KEY": "k"}, OpenAISource),
        ({"CHAT_MODEL": "bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0"}, BedrockSource),
        ({"CHAT_MODEL": "bedrock:arn:aws:bedrock:eu-central-1:1:inference-profile/x", **ON_LAMBDA}, BedrockSource),
    ],
)
def test_the_source_is_the_one_that_is_named(environ: dict[str, str], kind: type) -> None:
    """CHAT_SOURCE, CHAT_MODEL (split at the first colon) or OPENAI_MODEL, else the demo."""
    assert type(source_from_environ(environ)) is kind


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"CHAT_SOURCE": "a:b", "CHAT_MODEL": "demo"}, ["CHAT_SOURCE", "CHAT_MODEL"]),
        ({"CHAT_SOURCE": "a:b", "OPENAI_MODEL": "m"}, ["CHAT_SOURCE", "OPENAI_MODEL"]),
        ({"CHAT_MODEL": "bedrock:m", "OPENAI_MODEL": "m"}, ["CHAT_MODEL", "OPENAI_MODEL"]),
        (ON_LAMBDA, ["CHAT_MODEL", "CHAT_SOURCE"]),
        ({**ON_LAMBDA, "OPENAI_API_KEY": "k"}, ["CHAT_MODEL", "CHAT_SOURCE"]),
        ({"CHAT_MODEL": "gpt-5"}, ["CHAT_MODEL", "gpt-5", "openai:"]),
        ({"CHAT_MODEL": "mistral:large"}, ["CHAT_MODEL", "mistral:large"]),
        ({"CHAT_MODEL": "bedrock:"}, ["CHAT_MODEL", "bedrock:"]),
        ({"CHAT_MODEL": "openai:m"}, ["OPENAI_API_KEY"]),
        ({"CHAT_MODEL": "bedrock:m", "BEDROCK_GUARDRAIL": "abc"}, ["BEDROCK_GUARDRAIL", "abc"]),
        ({"OPENAI_BASE_URL": "http://localhost:1/v1"}, ["OPENAI_MODEL"]),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "localhost:1/v1"}, ["OPENAI_BASE_URL", "localhost:1"]),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http:///v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://x:port/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_MODEL": "m", "OPENAI_BASE_URL": "http://[::1/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_MODEL": "m", "OPENAI_API_KEY": "sk-\u201cx\u201d"}, ["OPENAI_API_KEY"]),
        ({"OPENAI_MODEL": "m", "OPENAI_API_KEY": "sk-\nx"}, ["OPENAI_API_KEY"]),
        ({"CHAT_SOURCE": "nothing"}, ["CHAT_SOURCE", "nothing", "package.module:name"]),
        ({"CHAT_SOURCE": "no.such.module:x"}, ["CHAT_SOURCE", "no.such.module:x"]),
        ({"CHAT_SOURCE": "json:no_such_name"}, ["CHAT_SOURCE", "no_such_name"]),
        ({"CHAT_SOURCE": f"{__name__}:not_a_source"}, ["not_a_source", "must be"]),
        ({"CHAT_SOURCE": f"{__name__}:NeedsMore"}, ["NeedsMore"]),
        ({"CHAT_SOURCE": "no_such_module:x", **ON_LAMBDA}, ["no_such_module:x"]),
        ({"CHAT_SOURCE": "json.no_such_module:x", **ON_LAMBDA}, ["json.no_such_module:x"]),
        ({"CHAT_SOURCE": "nothing", **ON_LAMBDA}, ["nothing"]),
    ],
)
def test_what_cannot_be_used_is_named(environ: dict[str, str], names: list[str]) -> None:
    """One line with the variable, what it was, and what to write."""
    with pytest.raises(ConfigurationError) as raised:
        source_from_environ(environ)
    assert all(name in str(raised.value) for name in names) and "\n" not in str(raised.value).replace("sk-\n", "")


def test_a_key_alone_is_the_demo_and_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """Many shells have one set; the line says how to use it."""
    assert source_from_environ({"OPENAI_API_KEY": "k"}) is demo_source
    [record] = caplog.records
    assert "OPENAI_MODEL=" in record.getMessage()


@pytest.mark.parametrize("name", ["my_source", "MySource", "Holder.source"])
@pytest.mark.parametrize("environ", [{}, ON_LAMBDA])
async def test_a_source_is_named_by_its_module(name: str, environ: dict[str, str]) -> None:
    """A function, a class with ``__call__``, or what is in one; on Lambda it is imported with the first run."""
    source = named(name, **environ)
    assert isinstance(source, LazySource) is bool(environ)
    for _ in range(2):
        assert [chunk["delta"] async for chunk in iterate(source, [], CONTEXT)] == ["hello"]
    if environ:
        assert [chunk["delta"] async for chunk in source([], CONTEXT)] == ["hello"]


def test_an_agent_is_wrapped() -> None:
    """By its looks: here one that speaks AG-UI."""
    assert isinstance(named("my_agent"), AguiSource)


async def test_what_is_wrong_with_a_module_is_told_by_the_run() -> None:
    """On Lambda, where it is imported behind the response."""
    source = source_from_environ({"CHAT_SOURCE": "json:no_such_name", **ON_LAMBDA})
    with pytest.raises(ConfigurationError, match="no_such_name"):
        [chunk async for chunk in iterate(source, [], CONTEXT)]


@pytest.mark.parametrize(
    ("model", "key", "module"),
    [("anthropic:claude-x", "ANTHROPIC_API_KEY", "anthropic"), ("google:gemini-x", "GEMINI_API_KEY", "google.genai")],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_plain_model_of_a_provider_is_an_agent(model: str, key: str, module: str) -> None:
    """It needs its key, which is checked at once; its library is imported with the first run."""
    pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
    pytest.importorskip(module, reason=f"{module} is not installed")
    with pytest.raises(ConfigurationError, match="_API_KEY is not set"):
        source_from_environ({"CHAT_MODEL": model})
    source: Any = source_from_environ({"CHAT_MODEL": model, key: "k", "CHAT_SYSTEM": "Be kind."})
    assert type(await source.load()).__name__ == "AgentSource"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    for name in ("boto3", "pydantic_ai"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"resumable-chat\[agents\]"):
        source_from_environ({"CHAT_MODEL": "anthropic:x", "ANTHROPIC_API_KEY": "k"})
    with pytest.raises(ConfigurationError, match=r"resumable-chat\[aws\]"):
        source_from_environ({"CHAT_MODEL": "bedrock:x"})


def test_no_model_library_is_imported_at_the_start(tmp_path: Path) -> None:
    """A cold start must not wait for it; nor for the module that CHAT_SOURCE names."""
    (tmp_path / "slow_module.py").write_text("raise SystemExit('imported')\n")
    script = """
import sys
from resumable_chat.settings import source_from_environ
source_from_environ({"CHAT_MODEL": "bedrock:x", "AWS_LAMBDA_FUNCTION_NAME": "f"})
source_from_environ({"CHAT_SOURCE": "slow_module:x", "AWS_LAMBDA_FUNCTION_NAME": "f"})
loaded = {"boto3", "botocore", "pydantic_ai", "anthropic", "openai", "google.genai", "ag_ui"} & set(sys.modules)
sys.exit(f"loaded {loaded}" if loaded else 0)
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
