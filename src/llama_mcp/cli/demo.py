"""`llama-mcp demo`: what a client gets, shown and checked from connecting to stopping.

It is a client like any other: it starts llama-mcp, which starts the embedded engine with the
starter model. All of that runs in a temporary home that is deleted at the end: the user's own
sessions are not touched, and what runs in that folder is what must not outlive the demo.
"""

import io
import json
import os
import shlex
import subprocess
import sys
import tempfile
import textwrap
from argparse import ArgumentParser, Namespace
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextResourceContents

from llama_mcp.cli.install.arguments import NAMES, places_here
from llama_mcp.cli.install.clients.all_clients import installed_clients
from llama_mcp.cli.install.command_path import our_entry
from llama_mcp.cli.processes_of_home import end_processes_of_home, wait_until_left
from llama_mcp.cli.serve import settle
from llama_mcp.cli.signals import until_signal
from llama_mcp.embedded.presence import INSTALL_COMMAND, embedded_engine_installed
from llama_mcp.models.starter_model import INSTALL_STARTER, STARTER_MODEL_NAME, starter_model_path
from llama_mcp.settings import inherited_environment

STEPS = 9
GOOD_END = """
Every step was right: llama-mcp ran llama.cpp with a small model, kept a conversation of two
turns, showed what it did and stopped everything again.
"""
INDENT, LOG_LINE_WIDTH = "      ", 100
# With this and temperature 0 SmolLM2 answers alike on every kind of CPU that was tried; with its
# own default system prompt it answers nonsense.
MAX_TOKENS = 60
# The longest that the tools take: on a slow machine the demo is only slow.
PATIENCE_SECONDS = 600
# llama-server is gone within 2 s of its last client; the rest is for a busy machine.
LEAVE_SECONDS = 10


class DemoFailedError(Exception):
    """A step that did not do what it should; the text says how."""


def configure(parser: ArgumentParser) -> None:
    """Say what the demo does; it takes no arguments."""
    parser.description = "Start the embedded engine with the starter model, chat, and stop it."


def run(_: Namespace) -> int:
    """Run the demo and return its exit code: 0 when every step was right."""
    settle()
    if commands := _missing_parts():
        print("The demo needs the embedded engine and the starter model. Install what is missing:")
        print(*commands, sep="\n")
        return 1
    exit_code = 1
    with suppress(KeyboardInterrupt):  # only where signals cannot be waited for (Windows)
        exit_code = anyio.run(until_signal, _run_in_a_new_home, "SIGINT")
    if exit_code == 0:
        print(_how_to_go_on(inherited_environment()))
    return exit_code


def _how_to_go_on(environment: dict[str, str]) -> str:
    """Return the line that sets up the reader's own clients, as far as they are on this machine."""
    entry = our_entry(Path(sys.executable), environment)
    names = [client.name for client in installed_clients(places_here(environment))]
    command = [*entry.argv, "install", *(names or ["CLIENT"])]
    quoted = subprocess.list2cmdline if sys.platform == "win32" else shlex.join
    which = "" if names else f"\nCLIENT is one of {NAMES}."
    return f"To add it to your own client:\n  {quoted(command)}{which}"


def _missing_parts() -> list[str]:
    is_installed = {
        INSTALL_COMMAND: embedded_engine_installed(),
        INSTALL_STARTER: starter_model_path() is not None,
    }
    return [command for command, installed in is_installed.items() if not installed]


async def _run_in_a_new_home() -> int:
    with tempfile.TemporaryDirectory(prefix="llama-mcp-demo-") as home:
        return await _run_in(Path(home))


async def _run_in(home: Path) -> int:
    story = _Story()
    try:
        await _tell(story, home)
        story.say(GOOD_END)
        return 0
    except Exception as error:
        story.fail(error)
        return 1
    except anyio.get_cancelled_exc_class():
        story.say("\nInterrupted. What was started is being stopped.")
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await _end_all(home)


async def _tell(story: "_Story", home: Path) -> None:
    story.say("llama-mcp demo: a client starts llama-mcp, which runs a local model for it.")
    story.say(f"Everything is kept in {home}, which is deleted at the end.")
    story.begin("Connect to llama-mcp over stdio, as a client does")
    async with Client(_server_parameters(home)) as client:
        story.tell(f"It speaks MCP {client.protocol_version}.")
        await _list_tools(story, client)
        await _start(story, client)
        first = await _chat(story, client, "What is the capital of France?")
        _check("Paris" in first["reply"], "the reply does not name Paris")
        second = await _chat(story, client, "What did I just ask about?", first["session_id"])
        knows_first = any(word in second["reply"] for word in ("France", "capital", "Paris"))
        _check(knows_first, "the reply does not show that it knows the first question")
        _check(second["usage"].get("cached_tokens", 0) > 0, "nothing came from the cache")
        await _show_metrics(story, client)
        await _show_transcript(story, client, [first, second])
        await _stop(story, client)
    story.begin("Look for what is left")
    _check(not await wait_until_left(home, LEAVE_SECONDS), "a process still runs")
    story.tell("No process is left. The temporary folder goes now.")


def _server_parameters(home: Path) -> StdioServerParameters:
    # The client hands on no LLAMA_MCP_ variables but these: the user's settings have no say.
    return StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "llama_mcp"],
        env={
            "LLAMA_MCP_HOME": str(home),
            "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
            "LLAMA_MCP_PORT": "0",
            "LLAMA_MCP_LINGER_SECONDS": "0",
        },
        cwd=home,
    )


async def _list_tools(story: "_Story", client: Client) -> None:
    story.begin("List its tools")
    tools = (await client.list_tools()).tools
    for tool in tools:
        story.tell(f"{tool.name:<20}{tool.title or ''}")
    needed = {"start_llama_server", "stop_llama_server", "status", "chat"}
    _check(needed <= {tool.name for tool in tools}, "a tool is missing")


async def _start(story: "_Story", client: Client) -> None:
    story.begin(f"Start llama-server: the embedded engine with {STARTER_MODEL_NAME}")
    seconds: list[float] = []

    async def show(progress: float, total: float | None, message: str | None) -> None:
        seconds.append(progress)
        story.tell((message or "")[:LOG_LINE_WIDTH])

    arguments = {"wait_seconds": PATIENCE_SECONDS, "timeout_seconds": PATIENCE_SECONDS}
    result = await client.call_tool("start_llama_server", arguments, progress_callback=show)
    status = _structure(result)
    story.tell(status["message"])
    _check(status["state"] == "ready", f"its state is {status['state']}")
    _check(status["engine"]["kind"] == "embedded", "it is not the embedded engine")
    story.tell(f"pid {status['pid']}, ready after {status['ready_after_seconds']:.1f} s")
    rises = bool(seconds) and seconds == sorted(set(seconds))
    _check(rises, f"progress did not rise: {seconds}")


async def _chat(
    story: "_Story", client: Client, message: str, session_id: str | None = None
) -> dict[str, Any]:
    story.begin("Go on in the same session" if session_id else "Chat: the first turn of a session")
    pieces: list[str] = []

    async def show(progress: float, total: float | None, message: str | None) -> None:
        pieces.append(message or "")
        story.say(message or "", end="")

    story.tell(f"you:   {message}")
    story.say(f"{INDENT}model: ", end="")
    arguments = {
        "message": message,
        **({"session_id": session_id} if session_id else {}),
        "temperature": 0,
        "max_tokens": MAX_TOKENS,
        "wait_seconds": PATIENCE_SECONDS,
    }
    result = await client.call_tool("chat", arguments, progress_callback=show)
    story.say("")
    reply = _structure(result)
    _check(reply["status"] == "complete", f"the reply is {reply['status']}")
    _check("".join(pieces) == reply["reply"], "what was streamed is not the reply")
    _check(session_id in (None, reply["session_id"]), "the session has changed")
    _show_figures(story, reply, (result.meta or {})["llama-mcp/receipt"]["timing"])
    return reply


def _show_figures(story: "_Story", reply: dict[str, Any], timing: dict[str, float]) -> None:
    usage = reply["usage"]
    story.tell(
        f"session {reply['session_id']}, turn {reply['turn']}\n"
        f"first token after {timing['first_token_ms']:.0f} ms, "
        f"then {timing['tokens_per_second']:.1f} tokens/s\n"
        f"{usage['prompt_tokens']} prompt tokens, {usage.get('cached_tokens', 0)} of them cached; "
        f"{usage['completion_tokens']} tokens generated"
    )


async def _show_metrics(story: "_Story", client: Client) -> None:
    story.begin("Read the resource llama://server/metrics")
    text = await _read(client, "llama://server/metrics")
    story.tell(text)
    _check(json.loads(text)["generated_tokens_total"] > 0, "no generated tokens were counted")


async def _show_transcript(story: "_Story", client: Client, turns: list[dict[str, Any]]) -> None:
    uri = f"llama://sessions/{turns[0]['session_id']}"
    story.begin(f"Read the resource {uri}")
    text = await _read(client, uri)
    story.tell(text)
    _check(all(turn["reply"] in text for turn in turns), "it lacks a reply")


async def _stop(story: "_Story", client: Client) -> None:
    story.begin("Stop llama-server")
    status = _structure(await client.call_tool("stop_llama_server"))
    story.tell(status["message"])
    _check(status["state"] == "stopped", f"its state is {status['state']}")


def _check(is_right: bool, otherwise: str) -> None:
    if not is_right:
        raise DemoFailedError(otherwise)


def _structure(result: CallToolResult) -> dict[str, Any]:
    if result.is_error or not isinstance(result.structured_content, dict):
        raise DemoFailedError(" ".join(getattr(part, "text", "") for part in result.content))
    return result.structured_content


async def _read(client: Client, uri: str) -> str:
    content = (await client.read_resource(uri)).contents[0]
    if not isinstance(content, TextResourceContents):
        raise DemoFailedError(f"{uri} is not text")
    return content.text


async def _end_all(home: Path) -> None:
    """See that nothing runs in home; what does not leave by itself is killed."""
    await wait_until_left(home, LEAVE_SECONDS)
    await end_processes_of_home(home)


class _Story:
    """Tells on stdout what happens, in plain text; goes on in silence when nobody reads."""

    def __init__(self) -> None:
        self._steps = 0
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")

    def begin(self, step: str) -> None:
        self._steps += 1
        self.say(f"\n[{self._steps}/{STEPS}] {step}")

    def tell(self, text: str) -> None:
        self.say(textwrap.indent(text.rstrip(), INDENT))

    def fail(self, error: BaseException) -> None:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        kind = "" if isinstance(error, DemoFailedError) else f"{type(error).__name__}: "
        self.say(f"\nFAILED in step {self._steps} of {STEPS}: {kind}{error}")

    def say(self, text: str, end: str = "\n") -> None:
        try:
            print(text, end=end, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
