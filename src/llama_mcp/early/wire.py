"""Lines answered, and the answers written as far as stdout takes them."""

import os

from llama_mcp.early.conversation import Conversation

CHUNK_BYTES = 64 * 1024
# Nothing that is answered early is so long.
MAX_LINE_BYTES = 1024 * 1024


def answered(
    conversation: Conversation, lines: list[bytes], *, is_behind: bool = False
) -> tuple[list[bytes], bytes]:
    """Answer lines; return those that are left to the real server, and what was not sent.

    Args:
        conversation: what was said so far.
        lines: the next ones.
        is_behind: they come behind one that is the real server's.
    """
    left: list[bytes] = []
    for number, line in enumerate(lines, start=1):
        answer = conversation.answer_behind if left or is_behind else conversation.answer
        frame = answer(line)
        if frame is None:
            left.append(line)
        elif unsent := _unsent(frame):
            return [*left, *lines[number:]], unsent
    return left, b""


def _unsent(frame: bytes) -> bytes:
    """Write as much of the frame as stdout takes now; return the rest."""
    while frame:
        try:
            frame = frame[os.write(1, frame) :]
        except OSError:  # it is full, or the client is gone, which the real server finds out too
            break
    return frame
