"""From a message to one line of stdout: always valid Unicode, and never too long for a client."""

import json
import logging
from typing import Any

from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.sizes import MAX_FRAME_BYTES

logger = logging.getLogger(__name__)

INTERNAL_ERROR = -32603


def frame_of(message: Any) -> bytes:
    """Return a message as a line; an error in place of an answer that is too long.

    Nothing is left of a notification that is too long: nobody waits for it.
    """
    line = _encode(message)
    if len(line) <= MAX_FRAME_BYTES:
        return line
    request_id = getattr(message, "id", None)
    if request_id is None:
        logger.warning("A notification of %d bytes was not sent.", len(line))
        return b""
    return error_frame(
        request_id,
        INTERNAL_ERROR,
        f"The answer has {len(line)} bytes, and a message may have {MAX_FRAME_BYTES}. Ask for "
        "less at a time: a smaller limit, or the next page.",
    )


def error_frame(request_id: str | int | None, code: int, why: str) -> bytes:
    """Return an error as a line; without the id, if that is what makes it too long."""
    answer = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": why}}
    line = json.dumps(answer).encode() + b"\n"
    return line if len(line) <= MAX_FRAME_BYTES else error_frame(None, code, why)


def _encode(message: Any) -> bytes:
    """Return one line; a lone surrogate in it becomes U+FFFD instead of ending the server."""
    try:
        text: str = message.model_dump_json(by_alias=True, exclude_unset=True)
        return text.encode() + b"\n"
    except ValueError:
        data = message.model_dump(mode="python", by_alias=True, exclude_unset=True)
        return clean_text(json.dumps(data, ensure_ascii=False, default=str)).encode() + b"\n"
