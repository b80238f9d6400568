"""What a message of the client is, and which headers it travels with; no wire, no state.

The body of a POST is the client's own line, byte for byte.
"""

from llama_mcp.connect.failures import INVALID_REQUEST, PARSE_ERROR
from llama_mcp.early.json_text import id_text, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INITIALIZE = "initialize"
INITIALIZED = "notifications/initialized"
CANCELLED = "notifications/cancelled"
LISTEN = "subscriptions/listen"
SUBSCRIBE = "resources/subscribe"
UNSUBSCRIBE = "resources/unsubscribe"

_VERSION_IN_META = "io.modelcontextprotocol/protocolVersion"
# The header Mcp-Name repeats this parameter (2026-07-28, transports, standard headers).
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class NotAMessageError(Exception):
    """A line that is no JSON-RPC message, with the code and the text of its answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Message:
    """One line of the client, and what the bridge has to know of it."""

    def __init__(self, line: bytes, content: "dict[str, Any]") -> None:
        self.line = line
        method = content.get("method")
        self.method = method if isinstance(method, str) else None
        self.id = id_text(content["id"]) if "id" in content else None
        """As JSON, so that 1 and "1" are two."""
        params = content.get("params")
        self.params: dict[str, Any] = params if isinstance(params, dict) else {}
        meta = self.params.get("_meta")
        version = meta.get(_VERSION_IN_META) if isinstance(meta, dict) else None
        self.version = version if isinstance(version, str) else None
        """Of the protocol, when the message says it itself: since 2026-07-28."""

    @property
    def is_request(self) -> bool:
        """Tell whether it wants an answer."""
        return self.method is not None and self.id is not None

    @property
    def is_answer(self) -> bool:
        """Tell whether it answers a request of the server."""
        return self.method is None

    @property
    def cancelled(self) -> str | None:
        """The id of the request that it cancels, as JSON."""
        request_id = self.params.get("requestId")
        is_id = isinstance(request_id, str | int) and not isinstance(request_id, bool)
        return id_text(request_id) if is_id else None

    def own_headers(self) -> list[tuple[str, str]]:
        """Return the headers in which a message of 2026-07-28 repeats what it is about."""
        if self.version is None or self.method is None:
            return []
        headers = [
            ("MCP-Protocol-Version", header_value(self.version)),
            ("Mcp-Method", header_value(self.method)),
        ]
        name = self.params.get(_NAMED_BY.get(self.method, ""))
        if isinstance(name, str):
            headers.append(("Mcp-Name", header_value(name)))
        return headers


def read_message(line: bytes) -> Message:
    """Return the message of a line.

    Raises:
        NotAMessageError: The line is something else.
    """
    content = content_of(line)
    if not isinstance(content, dict):
        raise NotAMessageError(INVALID_REQUEST, "A line must be one JSON-RPC message.")
    has_id = _is_id(content.get("id", 0))
    is_call = isinstance(content.get("method"), str)
    is_answer = "method" not in content and "id" in content and bool(content.keys() & _OUTCOMES)
    if not has_id or not (is_call or is_answer) or content.get("jsonrpc") != "2.0":
        raise NotAMessageError(INVALID_REQUEST, "A line must be one JSON-RPC 2.0 message.")
    return Message(line, content)


def content_of(text: bytes) -> "Any":
    """Return what JSON bytes say.

    Raises:
        NotAMessageError: They are no JSON.
    """
    try:
        return parsed(text.decode().strip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise NotAMessageError(PARSE_ERROR, "A line must be JSON in UTF-8.") from error


def header_value(text: str) -> str:
    """Return text as the value of a header: as it is, or in base64 where that is not possible.

    The form is that of 2026-07-28, transports, value encoding.
    """
    is_plain = text.isascii() and text.isprintable() and text == text.strip(" \t")
    if is_plain and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    from binascii import b2a_base64

    encoded = b2a_base64(text.encode("utf-8", "replace"), newline=False).decode()
    return f"=?base64?{encoded}?="


def error_line(request_id: str | None, code: int, text: str, data: str | None = None) -> bytes:
    """Return an error as a line.

    Args:
        request_id: of the request, as JSON; None when it is not known.
        code: of JSON-RPC.
        text: what the client is told.
        data: more, as JSON.
    """
    more = f',"data":{data}' if data is not None else ""
    error = f'{{"code":{code},"message":{id_text(text)}{more}}}'
    frame = f'{{"jsonrpc":"2.0","id":{request_id or "null"},"error":{error}}}'
    # Half a surrogate pair of an id goes back as the escape that it came as.
    return frame.encode("utf-8", "backslashreplace")


_OUTCOMES = frozenset({"result", "error"})


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
