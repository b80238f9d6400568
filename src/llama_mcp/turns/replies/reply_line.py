"""How far a reply is, in a line for a person who waits."""

from llama_mcp.sessions.texts import clean_text
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import counted

MAX_LINE_CHARACTERS = 200


def line_of(reply: PartialReply) -> str:
    """Return what the reply waits for, or how far the prompt is read, else the end of the reply."""
    if not reply.generated:
        return waiting_line(reply)
    tail = visible_line(" ".join("".join(reply.pieces[-40:]).split()))
    head = f"{counted(reply.generated, 'token')}: "
    return head + tail[-(MAX_LINE_CHARACTERS - len(head)) :]


def waiting_line(reply: PartialReply) -> str:
    """Return what the first token of the reply waits for."""
    if reply.load:
        return visible_line(clean_text(reply.load.line))
    if reply.queue_place:
        return f"waiting for a slot, {reply.queue_place}"
    if not reply.prompt_total:
        return "waiting for llama-server"
    share = 100 * reply.prompt_processed / reply.prompt_total
    seconds = reply.prompt_seconds_left
    left = f", about {seconds:.0f} s left" if seconds and seconds >= 1 else ""
    return f"reading the prompt, {share:.0f} %{left}"
