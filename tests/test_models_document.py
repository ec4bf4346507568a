"""docs/models.md: what it says to set can be set, and its code runs."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from resumable_chat import AgentSource, BedrockSource, OpenAISource, SourceContext
from resumable_chat.settings import source_from_environ
from resumable_chat.sources.demo import demo_source
from resumable_chat.sources.lazy import LazySource
from resumable_chat.sources.port import iterate

from .sources.answers import text, tool_calls
from .sources.bedrock_server import Exchange, bedrock_server

ROOT: Final = Path(__file__).parent.parent
DOCUMENT: Final = (ROOT / "docs" / "models.md").read_text()
BLOCKS: Final = re.findall(r"(?:<!-- (\S+) -->\n)?```python\n(.*?)```", DOCUMENT, re.DOTALL)
SNIPPETS: Final = [code for path, code in BLOCKS if not path]
ROWS: Final = [line for line in DOCUMENT.split("## Your own")[0].splitlines() if "CHAT_" in line or "OPENAI_" in line]
SETTINGS: Final = [dict(re.findall(r"`([A-Z_]+)=(\S+?)`", row)) for row in ROWS if row.startswith("|")]
KEYS: Final = {"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "GOOGLE_API_KEY": "k"}
HI: Final = {"id": "u", "role": "user", "parts": [{"type": "text", "content": "What is new?"}]}


async def run(code: str) -> list[dict[str, Any]]:
    """Run a block as a module and read the answer of its ``answer``."""
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102 - it is ours
    context = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m")
    return [chunk async for chunk in iterate(module["answer"], [HI], context)]


def test_the_blocks_that_name_a_file_are_that_file() -> None:
    """But for its docstring."""
    quoted = [(path, code) for path, code in BLOCKS if path]
    assert [path for path, _ in quoted] == ["examples/ollama/model.py", "examples/pydantic_ai/agent.py"]
    for path, code in quoted:
        source = (ROOT / path).read_text()
        docstring = ast.parse(source).body[0]
        assert "".join(source.splitlines(keepends=True)[docstring.end_lineno :]).strip() == code.strip()


def test_there_is_no_other_code() -> None:
    """Each block is run by a test of its own, below or with the examples."""
    assert len(SNIPPETS) == 3 and DOCUMENT.count("```") == 2 * len(BLOCKS)


async def test_your_own_takes_ten_lines_and_answers() -> None:
    """With the words of the question."""
    assert len(SNIPPETS[0].strip().splitlines()) <= 10
    assert text(await run(SNIPPETS[0])) == "You asked: What is new? "


async def test_events_and_text_may_be_mixed() -> None:
    """The call has a result, and the text comes behind it."""
    chunks = await run(SNIPPETS[1])
    assert tool_calls(chunks) == [["look_up_weather", '{"place": "Paris"}']]
    assert text(chunks) == "It is 21 °C in Paris."
    assert chunks[3]["content"] == '{"celsius": 21}'


async def test_a_source_for_bedrock_is_made_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options are in the request."""
    pytest.importorskip("boto3", reason="boto3 is not installed")

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.event("messageStart", role="assistant")
        await exchange.text("Not ", "much.")
        await exchange.stop()
        await exchange.close()

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    async with bedrock_server(script) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", served.endpoint_url)
        assert text(await run(SNIPPETS[2])) == "Not much."
    [exchange] = served.exchanges
    assert exchange.body["inferenceConfig"] == {"maxTokens": 1000, "temperature": 0.2}
    assert exchange.body["system"] == [{"text": "Answer in one short paragraph."}]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda given: " ".join(given.values()))
def test_what_the_table_says_can_be_set(settings: dict[str, str]) -> None:
    """Each row is a source of its kind."""
    pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
    if "CHAT_SOURCE" in settings:
        settings = {"CHAT_SOURCE": "examples.pydantic_ai.agent:agent"}
    kinds = {"bedrock": BedrockSource, "openai": OpenAISource, "llama3.2": OpenAISource, "demo": type(demo_source)}
    source = source_from_environ({**KEYS, **settings})
    named = settings.get("CHAT_MODEL") or settings.get("OPENAI_MODEL") or ""
    assert isinstance(source, kinds.get(named.partition(":")[0], (LazySource, AgentSource)))


def test_the_table_has_every_kind_of_model() -> None:
    """Those that CHAT_MODEL knows, and the two other settings."""
    assert [next(iter(settings.items())) for settings in SETTINGS] == [
        ("CHAT_MODEL", "bedrock:eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("CHAT_MODEL", "openai:gpt-5"),
        ("CHAT_MODEL", "anthropic:claude-sonnet-4-5"),
        ("CHAT_MODEL", "google:gemini-2.5-pro"),
        ("OPENAI_MODEL", "llama3.2"),
        ("CHAT_SOURCE", "my_module:agent"),
        ("CHAT_MODEL", "demo"),
    ]


def test_the_extras_that_it_names_exist() -> None:
    """In pyproject.toml, and in each example's own words."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {*re.findall(r"resumable-chat\[(\S+?)\]", DOCUMENT), *re.findall(r"EXTRAS=(\S+?)[ `]", DOCUMENT)}
    assert extras == {"openai", "aws", "agents", "ag-ui"} <= {*project["optional-dependencies"]}
    for name, command in re.findall(r"^\| \[(\w+)\].*\| `(make dev .*)` \|$", DOCUMENT, re.MULTILINE):
        [path] = (ROOT / "examples" / name).glob("*.py")
        assert f"{command} CHAT_SOURCE=" in path.read_text()


def test_the_links_lead_somewhere() -> None:
    """To files that exist."""
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", DOCUMENT):
        assert (ROOT / "docs" / link).is_file(), link
