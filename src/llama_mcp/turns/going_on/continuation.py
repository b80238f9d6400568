"""A partial reply gone on with: llama-server reads what has come, and generates the rest.

That is right only where the model reads the very text that it has written, as if it had never
stopped: the template has to leave it as it is. What stands apart from the text (thoughts, calls of
tools) is put elsewhere by templates, or left out. Where it is not right, the partial reply stays.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.ready_server import ReadyServer, ReadyServers, WantedServer
from llama_mcp.turns.chat_request import GO_ON, build_body
from llama_mcp.turns.prompt import Prompt
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.wording import counted

# How long llama-server may load that is started again; as a start has it by default.
LOAD_SECONDS = 600.0
ANSWER_SECONDS = 30.0
_STARTED_AGAIN = "llama-server was started again after a crash."


@dataclass(frozen=True, slots=True)
class Rest:
    """What generates the rest of a reply."""

    server: ReadyServer
    prompt: Prompt
    note: str


async def rest_after_crash(
    broken_off: LlamaMCPError,
    prompt_with: Callable[[ReadyServer], Awaitable[Prompt]],
    reply: PartialReply,
    crashed: ReadyServer,
    servers: ReadyServers,
) -> Rest | None:
    """Have a llama-server started again that crashed in mid-reply; None where that does not help.

    Args:
        broken_off: What ended the reply.
        prompt_with: Gives what was sent, with the help of a llama-server that answers.
        reply: What has come.
        crashed: The llama-server that was replying.
        servers: Starts it again, within the limits that the next chat has.
    """
    if not broken_off.can_go_on or not reply.text or not reply.is_plain_text:
        return None
    wanted = WantedServer(crashed.model, may_start=False)
    try:
        with anyio.fail_after(LOAD_SECONDS):
            server = await servers.ready_server(wanted)
            server = await server.when_ready(lambda _load: None)
        is_same = server.model == crashed.model and server.serving_id != crashed.serving_id
        if not is_same:
            return None
        rest = await prompt_for_rest(await prompt_with(server), reply, server)
    except (LlamaMCPError, TimeoutError):
        return None  # the crash is what the caller has to hear of
    if rest is None:
        return None
    why = " ".join(server.notes) or _STARTED_AGAIN
    after = counted(len(reply.text), "character")
    return Rest(server, rest, f"{why} The reply goes on where it broke off, after {after}.")


async def prompt_for_rest(
    prompt: Prompt, reply: PartialReply, server: ReadyServer
) -> Prompt | None:
    """Return the prompt for the rest of a partial reply; None where the rest would not fit to it.

    Args:
        prompt: What was sent for the reply.
        reply: What has come; its model must be the server's.
        server: Generates the rest.

    Raises:
        LlamaMCPError: It does not answer.
        TimeoutError: It takes too long.
    """
    if not reply.text or not reply.is_plain_text:
        return None
    sampling = prompt.sampling
    if sampling.max_tokens is not None:
        left = sampling.max_tokens - reply.generated
        if left <= 0:
            return None
        sampling = sampling.model_copy(update={"max_tokens": left})
    body = build_body(prompt.messages, prompt.sampling)
    # Builds that know the field refuse this; others would send what has come once more.
    both = {**body, **GO_ON, "add_generation_prompt": True}
    if "continue_final_message" not in (await server.why_refused(both, ANSWER_SECONDS) or ""):
        return None
    written = {"role": "assistant", "content": reply.text}
    rest = replace(prompt, messages=[*prompt.messages, written], sampling=sampling)
    before = await server.rendered_prompt(body)
    after = await server.rendered_prompt(build_body(rest.messages, sampling))
    return rest if before is not None and after == before + reply.text else None
