"""What a client does with llama-mcp, step by step; each step says what it saw."""

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from llama_mcp.cli.proof.conversation import Conversation, Json
from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.problem import REPORT, NotProvedError
from llama_mcp.reading_settings import read_settings
from llama_mcp.toolsets import PAGE_TOOLS
from llama_mcp.wording import counted

Tell = Callable[[str], None]

# The longest that the tools wait; a large model on a slow disk takes its time.
PATIENCE_SECONDS = 600.0
# Beyond that only what hangs.
_GIVEN_UP_SECONDS = PATIENCE_SECONDS + 30
_LIST_SECONDS = 60.0
_MAX_TOKENS = 16
_NOT_FOR_CHAT = ("embedding", "rerank")


async def greet(conversation: Conversation, launch: Launch, launched_at: float, tell: Tell) -> None:
    """Be the client that has just launched it."""
    result = await conversation.begin(launch.first_answer_seconds)
    seconds = anyio.current_time() - launched_at
    spoken = _version_in(result)
    if spoken != launch.protocol_version:
        raise NotProvedError(
            f"It was asked for MCP {launch.protocol_version} and speaks {spoken}.",
            "Install a newer llama-mcp, or name the newer one's full path in the entry.",
        )
    limit = f"{launch.first_answer_seconds:g} s"
    tell(f"first answer after {seconds:.2f} s (limit {limit}), MCP {spoken}")


async def list_tools(
    conversation: Conversation, environment: Mapping[str, str], tell: Tell
) -> frozenset[str]:
    """Return the tools that are offered: all that the settings let it offer."""
    # A proof shows no page: of the tools for one it is not told.
    wanted = read_settings(environment).offered_tools - PAGE_TOOLS
    offered = await conversation.tools(_LIST_SECONDS)
    if missing := sorted(wanted - offered):
        raise NotProvedError(
            f"It offers {counted(len(offered), 'tool')}; missing: {', '.join(missing)}.",
            "The command is an older llama-mcp, or another program: name the full path of this "
            "one in the entry.",
        )
    tell(counted(len(offered), "tool"))
    return offered


async def use_a_model(
    conversation: Conversation,
    environment: Mapping[str, str],
    offered: frozenset[str],
    tell: Tell,
) -> None:
    """Start the model of the settings, chat with it and stop it, as far as tools are offered.

    An engine that somebody else runs is only chatted with.
    """
    settings = read_settings(environment)
    is_asked_for = bool(settings.llama_cpp_path or settings.model_path or settings.models)
    config: Json = {}
    if "get_config" in offered:
        config = await conversation.call("get_config", {}, _GIVEN_UP_SECONDS)
        if url := config.get("url"):
            tell(f"nothing was started: the engine at {url} answers")
            if "chat" in offered:
                await _chat(conversation, tell)
            return
        if not config.get("model_path") and not is_asked_for:
            tell("no model was tried: none is set, and the starter model is not installed")
            return
    if "start_llama_server" in offered:
        await _start(conversation, tell)
    kind = config.get("about_model", {}).get("kind")
    if kind in _NOT_FOR_CHAT:
        tell(f"no chat was tried: the model is for {kind}")
    elif "chat" in offered:
        await _chat(conversation, tell)
    if "stop_llama_server" in offered:
        await _stop(conversation, tell)


async def _start(conversation: Conversation, tell: Tell) -> None:
    arguments = {"wait_seconds": PATIENCE_SECONDS, "timeout_seconds": PATIENCE_SECONDS}
    status = await conversation.call("start_llama_server", arguments, _GIVEN_UP_SECONDS)
    _check_state(status, "ready")
    seconds = status.get("ready_after_seconds")
    after = "" if seconds is None else f" after {seconds:.1f} s"
    tell(f"{status.get('model', 'the model')} ready{after}")


async def _chat(conversation: Conversation, tell: Tell) -> None:
    pieces: list[str] = []
    arguments = {
        "message": "Say hello.",
        "max_tokens": _MAX_TOKENS,
        "temperature": 0,
        "wait_seconds": PATIENCE_SECONDS,
    }
    began = anyio.current_time()
    reply = await conversation.call(
        "chat",
        arguments,
        _GIVEN_UP_SECONDS,
        lambda progress: pieces.append(str(progress.get("message") or "")),
    )
    seconds = anyio.current_time() - began
    if reply.get("status") != "complete":
        raise NotProvedError(f"The reply is {reply.get('status')} after {seconds:.0f} s.", REPORT)
    if "".join(pieces) != reply.get("reply", ""):
        raise NotProvedError("What was streamed of the reply, joined, is not the reply.", REPORT)
    tokens = reply.get("usage", {}).get("completion_tokens", 0)
    if not tokens:
        raise NotProvedError("The model has answered with no token.", REPORT)
    tell(f"a reply of {counted(tokens, 'token')}, streamed, in {seconds:.1f} s")


async def _stop(conversation: Conversation, tell: Tell) -> None:
    began = anyio.current_time()
    status = await conversation.call("stop_llama_server", {}, _GIVEN_UP_SECONDS)
    _check_state(status, "stopped")
    tell(f"stopped after {anyio.current_time() - began:.1f} s")


def _check_state(status: Json, wanted: str) -> None:
    if status.get("state") != wanted:
        said = status.get("message", "")
        raise NotProvedError(
            f"llama-server should be {wanted} and is {status.get('state')}: {said}",
            "Do what that message says, then try again.",
        )


def _version_in(result: Mapping[str, Any]) -> str:
    """Return which version the first answer agrees on, or offers first."""
    supported = result.get("supportedVersions") or [""]
    return str(result.get("protocolVersion") or supported[0])
