"""A LangGraph graph that looks facts up before it answers, through AG-UI's adapter.

    make dev EXTRAS=ag-ui PACKAGES='ag-ui-langgraph==0.0.47' CHAT_SOURCE=examples.langgraph.agent:agent

AGENT_MODEL names the model, for example ``bedrock_converse:amazon.nova-lite-v1:0`` (with ``langchain[aws]`` among the
packages). Without it, a model of LangChain's that needs no key says the same thing each time.
"""

import os
from typing import Any

from ag_ui.core import RunAgentInput
from ag_ui_langgraph import LangGraphAgent
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph

FACTS = {
    "delivery": "Orders are delivered within three days.",
    "return": "Items can be returned within thirty days.",
}


class State(MessagesState):
    """The conversation, and what was looked up for its last question."""

    facts: list[str]


def chat_model() -> BaseChatModel:
    name = os.environ.get("AGENT_MODEL")
    if not name:
        return FakeListChatModel(responses=["I looked that up: orders are delivered within three days."])
    from langchain.chat_models import init_chat_model

    return init_chat_model(name)


def look_up(state: State) -> dict[str, Any]:
    question = str(state["messages"][-1].content).lower()
    return {"facts": [fact for word, fact in FACTS.items() if word in question]}


async def answer(state: State) -> dict[str, Any]:
    known = SystemMessage("Answer from these facts: " + " ".join(state["facts"] or ["none"]))
    return {"messages": [await model.ainvoke([known, *state["messages"]])]}


model = chat_model()
graph = StateGraph(State)
graph.add_node("look_up", look_up)
graph.add_node("answer", answer)
graph.add_edge(START, "look_up")
graph.add_edge("look_up", "answer")
graph.add_edge("answer", END)


class Runs:
    """Runs the graph for each answer with a memory of its own: the chat's log already holds the conversation."""

    def run(self, given: RunAgentInput) -> Any:
        return LangGraphAgent(name="facts", graph=graph.compile(checkpointer=InMemorySaver())).run(given)


agent = Runs()
