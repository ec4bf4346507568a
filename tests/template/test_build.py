"""What was built is what is tested: the layer's contents, and the handlers with nothing but the layer."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ..chats import frames
from .artefact import DEPLOYED, FUNCTIONS, Artefact, deployed_python
from .cloudformation import ROOT, source

pytestmark = pytest.mark.timeout(300)  # the first one builds

LAYERS = {"ChatLayerArm64": 0xB7, "ChatLayerX86": 0x3E}
"""And the machine in the head of their ELF files."""

_TARGET = {
    "python_version": DEPLOYED,
    "python_full_version": f"{DEPLOYED}.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "extra": "",
}

QUICK = """
async def answer(messages, context):
    yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": context.message_id, "delta": "Hi!"}
"""

_INVOKE = """
import json, sys
import app
print(json.dumps(app.handler(json.load(sys.stdin), None)))
"""


def locked() -> dict[str, str]:
    """The lock's packages and versions."""
    text = (ROOT / "lib" / "requirements.lock").read_text()
    return {
        canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)
    }


def required(requirements: list[str]) -> list[Requirement]:
    parsed = map(Requirement, requirements)
    return [found for found in parsed if found.marker is None or found.marker.evaluate(_TARGET)]


def test_the_lock_satisfies_the_project() -> None:
    """Each dependency of pyproject.toml is locked at a version that it allows; `make lock` renews the lock."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = locked()
    own = {"lambda-asgi", "resumable-chat"}
    extras = project["optional-dependencies"]
    shipped = [*project["dependencies"]]
    shipped += [name for extra in ("web", "openai", "lambda") for name in extras[extra]]
    runtime = tomllib.loads((ROOT / "lib" / "lambda_asgi" / "pyproject.toml").read_text())["project"]
    shipped += runtime["dependencies"]
    for requirement in required(shipped):
        if requirement.name in own:
            continue
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_lock_has_hashes_and_names_no_place() -> None:
    """Whoever installs it takes it from where they take packages, and gets these files."""
    text = (ROOT / "lib" / "requirements.lock").read_text()
    assert "://" not in text and "index-url" not in text
    entries = re.split(r"\n(?=\w)", text.strip())
    assert len(entries) == len(locked()) and all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_is_what_was_locked(build: Path, layer: str) -> None:
    """Every package's own requirements are met, by the versions of the lock, and nothing else is there."""
    found: dict[str, Distribution] = {
        canonicalize_name(package.metadata["Name"]): package
        for package in distributions(path=[str(build / layer / "python")])
    }
    versions = locked()
    for name, package in found.items():
        assert package.version == versions[name]
        for requirement in required(package.requires or []):
            assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement
            assert canonicalize_name(requirement.name) in found
    assert not {"boto3", "botocore", "uvicorn", "pytest"} & {*found}


@pytest.mark.parametrize(("layer", "machine"), LAYERS.items())
def test_the_layer_is_for_its_architecture(build: Path, layer: str, machine: int) -> None:
    """Every binary, and each for the functions' Python."""
    binaries = list((build / layer).rglob("*.so"))
    assert len(binaries) >= 3
    for binary in binaries:
        head = binary.read_bytes()[:20]
        assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == machine
        assert f"cpython-{DEPLOYED.replace('.', '')}" in binary.name or ".abi3." in binary.name


@pytest.mark.parametrize("layer", LAYERS)
def test_the_layer_holds_no_ballast(build: Path, layer: str) -> None:
    """No tests, no Makefile, only the functions' Python's bytecode, and less than a sixth of Lambda's limit."""
    files = [path.relative_to(build / layer) for path in (build / layer).rglob("*") if path.is_file()]
    assert {path.parts[0] for path in files} == {"python", "lambda-asgi"}
    assert not [path for path in files if {"tests", "testing", "node_modules", "bin"} & {*path.parts[:3]}]
    compiled = [path for path in files if path.suffix == ".pyc"]
    assert bool(compiled) is (deployed_python() is not None)
    assert all(path.name.endswith(f".cpython-{DEPLOYED.replace('.', '')}.pyc") for path in compiled)
    assert sum((build / layer / path).stat().st_size for path in files) < 250e6 / 6
    for package in (ROOT / "lib" / "resumable_chat", ROOT / "lib" / "lambda_asgi" / "src" / "lambda_asgi"):
        ours = {path.relative_to(package.parent) for path in package.rglob("*.py")}
        assert {Path("python") / path for path in ours if "testing" not in path.parts} <= {*files}


def test_a_function_is_its_handler(build: Path) -> None:
    """Nothing else is uploaded with it."""
    for folder in FUNCTIONS.values():
        assert {path.name for path in (build / folder).iterdir()} == {"app.py", "__init__.py"}


def test_versions_agree() -> None:
    """The template, the layer's Makefile and the tests name one Python."""
    template = source()
    runtime = template["Globals"]["Function"]["Runtime"]
    assert runtime == f"python{DEPLOYED}"
    assert f"PYTHON_VERSION ?= {DEPLOYED}\n" in (ROOT / "lib" / "Makefile").read_text()
    for layer in LAYERS:
        assert template["Resources"][layer]["Properties"]["CompatibleRuntimes"] == [runtime]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_wrapper_starts_the_runtime(build: Path, layer: str, tmp_path: Path) -> None:
    """Lambda's interpreter gets `-m lambda_asgi`, and finds function and layer."""
    wrapper = build / layer / "lambda-asgi"
    assert stat.S_IMODE(wrapper.stat().st_mode) == 0o755
    interpreter = tmp_path / "python"
    interpreter.write_text('#!/bin/sh\necho "$@"\necho "$PYTHONPATH"\n')
    interpreter.chmod(0o755)
    done = subprocess.run(
        [wrapper, interpreter, "/var/runtime/bootstrap.py"],
        env={"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": "/opt/mine"},
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert done.stdout.split("\n") == [
        "-m lambda_asgi",
        "/var/task:/opt/python/lib/python/site-packages:/opt/python:/opt/mine",
        "",
    ]


@pytest.fixture(params=["here", "deployed"])
def artefact(request: pytest.FixtureRequest) -> Artefact:
    """On the Python at hand, and on the functions' own where there is one."""
    found: Artefact = request.getfixturevalue(request.param)
    return found


def invoke(artefact: Artefact, function: str, event: Any, **environ: str) -> dict[str, Any]:
    """One call of the built handler, in an interpreter that knows no packages but the layer's."""
    done = subprocess.run(
        [artefact.python, "-S", "-c", _INVOKE],
        input=json.dumps(event),
        env=artefact.environ(function, **environ),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.fixture
def chat(tmp_path: Path) -> dict[str, str]:
    """The settings of a chat in a file, with a model of one's own beside the handler."""
    (tmp_path / "quick.py").write_text(QUICK)
    return {"CHAT_LOG": f"sqlite:///{tmp_path}/chat.db", "CHAT_SOURCE": "quick:answer", "PYTHONPATH": str(tmp_path)}


def sample(function: str, kind: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{function}-{kind}.json").read_text())
    return event


@pytest.mark.parametrize("kind", ["rest", "http", "url"])
def test_a_chat_with_the_built_functions(artefact: Artefact, kind: str, chat: dict[str, str]) -> None:
    """A message is answered, the replay has both, there is nothing to stop; whoever else asks finds nothing."""
    sent = invoke(artefact, "send", sample("send", kind), **chat)
    assert (sent["statusCode"], sent["body"]) == (202, "")
    replayed = invoke(artefact, "replay", sample("replay", kind), **chat)
    [(_, snapshot)] = frames(replayed["body"].encode())
    assert [message["role"] for message in snapshot["messages"]] == ["user", "assistant"]
    assert invoke(artefact, "stop", sample("stop", kind), **chat)["statusCode"] == 204
    somebody = sample("replay", "url" if kind == "rest" else "rest")
    if kind == "http":
        somebody["requestContext"]["authorizer"]["claims"]["sub"] = "somebody-else"
    other = invoke(artefact, "replay", somebody, **chat)
    assert other["statusCode"] == 200 and "assistant" not in other["body"] and "Hello" not in other["body"]


def test_the_same_user_has_the_same_chat_behind_both_apis(here: Artefact, chat: dict[str, str]) -> None:
    """A REST and an HTTP API may serve one user pool."""
    invoke(here, "send", sample("send", "rest"), **chat)
    assert "assistant" in invoke(here, "replay", sample("replay", "http"), **chat)["body"]


def test_nobody_gets_in_without_a_caller(here: Artefact, chat: dict[str, str]) -> None:
    """401 from every function, and nothing is stored; with CHAT_AUTH=none it is open."""
    for function in FUNCTIONS:
        event = sample(function, "rest")
        event["requestContext"]["authorizer"] = None
        refused = invoke(here, function, event, **chat)
        assert refused["statusCode"] == 401 and "Sign in" in json.loads(refused["body"])["detail"]
        assert invoke(here, function, event, **chat, CHAT_AUTH="none")["statusCode"] in (200, 202, 204)


def test_without_a_log_the_error_says_what_to_set(here: Artefact) -> None:
    """500 for the caller; the function's log names the variables."""
    done = subprocess.run(
        [here.python, "-S", "-c", _INVOKE],
        input=json.dumps(sample("replay", "rest")),
        env=here.environ("replay"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "S2_ACCESS_TOKEN_SECRET" in done.stderr and "S2_BASIN" in done.stderr


def test_the_sdk_of_the_log_is_there(artefact: Artefact) -> None:
    """S2's SDK works without zstandard's second backend, which the layer leaves out; no function imports boto3."""
    code = (
        "import sys, app\nfrom resumable_chat.log.s2 import S2Log\nimport s2_sdk, zstandard\n"
        "assert zstandard.ZstdDecompressor().decompress(zstandard.ZstdCompressor().compress(b'chat')) == b'chat'\n"
        "assert not [name for name in sys.modules if name.startswith('boto')]\nprint(zstandard.backend)"
    )
    done = subprocess.run(
        [artefact.python, "-S", "-c", code], env=artefact.environ("send"), capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "cext", done.stderr
