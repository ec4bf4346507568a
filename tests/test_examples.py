"""The examples run as their users start them: named by CHAT_SOURCE, without a key, an account or a network."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resumable_chat import SourceContext
from resumable_chat.settings import source_from_environ
from resumable_chat.sources.port import iterate

from .sources.answers import check_pairs, text, tool_calls
from .sources.openai.server import Exchange, openai_server

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/*.py"))
HI = {"id": "u", "role": "user", "parts": [{"type": "text", "content": "When is the delivery?"}]}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this machine names a model, and each test imports its example again."""
    for name in ("AGENT_MODEL", "ANTHROPIC_API_KEY", "OLLAMA_MODEL", "OLLAMA_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(ROOT)
    yield
    for name in [name for name in sys.modules if name == "examples" or name.startswith("examples.")]:
        del sys.modules[name]


async def read(named: str, *messages: Any, **more: Any) -> list[dict[str, Any]]:
    source = source_from_environ({"CHAT_SOURCE": f"examples.{named}"})
    context = SourceContext(stream="s", run_id="r", thread_id="t", message_id="m", **more)
    return [chunk async for chunk in iterate(source, list(messages) or [HI], context)]


def results(chunks: list[dict[str, Any]]) -> list[str]:
    return [chunk["content"] for chunk in chunks if chunk["type"] == "TOOL_CALL_RESULT"]


def test_there_are_five_of_one_file_each() -> None:
    """Each says how it is started, with the name that it has."""
    assert EXAMPLES == ["anthropic", "langgraph", "ollama", "pydantic_ai", "strands"]
    for name in EXAMPLES:
        [path] = (path for path in (ROOT / "examples" / name).iterdir() if path.name != "__pycache__")
        named = f"CHAT_SOURCE=examples.{name}.{path.stem}:"
        module = ast.parse(path.read_text())
        [_, after] = (ast.get_docstring(module) or "").split(named)
        assigned = [target for node in module.body if isinstance(node, ast.Assign) for target in node.targets]
        assert after.split()[0] in [target.id for target in assigned if isinstance(target, ast.Name)]


async def test_the_pydantic_ai_agent_asks_before_it_cancels_an_order() -> None:
    """It looks orders up by itself; the run that brings the user's answer cancels the order or leaves it."""
    pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
    chunks = await read("pydantic_ai.agent:agent")
    check_pairs(chunks)
    assert [name for name, _ in tool_calls(chunks)] == ["look_up_order", "cancel_order"]
    assert results(chunks) == ["There is no order with this number."]
    [asked] = chunks[-1]["outcome"]["interrupts"]
    assert asked["metadata"] == {"kind": "approval"}

    def answered(*, approved: bool) -> dict[str, Any]:
        approval = {"id": "approval-x", "needsApproval": True, "approved": approved}
        call = {"type": "tool-call", "id": "x", "name": "cancel_order", "arguments": '{"number":"A-1002"}'}
        return {"id": "a", "role": "assistant", "parts": [{**call, "approval": approval}]}

    denied = await read("pydantic_ai.agent:agent", HI, answered(approved=False))
    orders = importlib.import_module("examples.pydantic_ai.agent").ORDERS
    assert "A-1002" in orders and "The order is cancelled." not in results(denied)
    approved = await read("pydantic_ai.agent:agent", HI, answered(approved=True))
    assert "A-1002" not in orders and results(approved) == ["The order is cancelled."]


@pytest.mark.filterwarnings("ignore")
async def test_the_langgraph_graph_answers() -> None:
    """Twice in one chat, with nothing from the first run in its memory."""
    pytest.importorskip("ag_ui_langgraph", reason="ag-ui-langgraph is not installed")
    for _ in range(2):
        chunks = await read("langgraph.agent:agent")
        assert text(chunks) == "I looked that up: orders are delivered within three days."
        assert (chunks[0]["type"], chunks[-1]["type"]) == ("RUN_STARTED", "RUN_FINISHED")


@pytest.mark.filterwarnings("ignore")
async def test_the_langgraph_graph_looks_facts_up() -> None:
    """By the words of the last question."""
    pytest.importorskip("ag_ui_langgraph", reason="ag-ui-langgraph is not installed")
    from langchain_core.messages import HumanMessage

    look_up = importlib.import_module("examples.langgraph.agent").look_up
    assert look_up({"messages": [HumanMessage("Can I return it?")]}) == {
        "facts": ["Items can be returned within thirty days."]
    }


@pytest.mark.filterwarnings("ignore")
async def test_the_strands_agent_uses_its_tool() -> None:
    """In each run, whatever the chat holds."""
    pytest.importorskip("ag_ui_strands", reason="ag-ui-strands is not installed")
    chunks = await read("strands.agent:agent")
    assert tool_calls(chunks) == [["add", '{"a": 3, "b": 4}']] and results(chunks) == ["7"]
    assert text(chunks) == "The sum is 7."
    answer = {"id": "m", "role": "assistant", "parts": [{"type": "text", "content": "The sum is 7."}]}
    again = await read("strands.agent:agent", HI, answer, {**HI, "id": "u2"})
    assert text(again) == "The sum is 7."


async def test_ollamas_model_is_asked_over_its_own_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system prompt and the settings of the example, and without a key."""

    async def script(exchange: Exchange) -> None:
        await exchange.open()
        await exchange.delta(content="Tomorrow")
        await exchange.delta("stop", content=".")
        await exchange.event("[DONE]")
        await exchange.close()

    async with openai_server(script) as served:
        monkeypatch.setenv("OLLAMA_URL", served.base_url)
        monkeypatch.setenv("OLLAMA_MODEL", "qwen3")
        chunks = await read("ollama.model:answer")
        await importlib.import_module("examples.ollama.model").answer.aclose()
    check_pairs(chunks)
    assert text(chunks) == "Tomorrow."
    [exchange] = served.exchanges
    assert "authorization" not in exchange.head.lower()
    assert (exchange.body["model"], exchange.body["temperature"]) == ("qwen3", 0.2)
    assert [message["role"] for message in exchange.body["messages"]] == ["system", "user"]


def test_claude_is_made_without_a_key() -> None:
    """It thinks aloud, within the length of an answer."""
    pytest.importorskip("pydantic_ai", reason="pydantic-ai-slim is not installed")
    source_from_environ({"CHAT_SOURCE": "examples.anthropic.agent:agent"})
    settings = importlib.import_module("examples.anthropic.agent").agent.model_settings
    assert settings["anthropic_thinking"]["budget_tokens"] < settings["max_tokens"]


async def test_claude_names_the_key_that_is_missing() -> None:
    """In the answer's failure, which `make dev` shows."""
    pytest.importorskip("anthropic", reason="anthropic is not installed")
    with pytest.raises(Exception, match="ANTHROPIC_API_KEY"):
        await read("anthropic.agent:agent")
