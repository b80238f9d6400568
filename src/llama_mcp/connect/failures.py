"""What can go wrong between the bridge and its server, as the client is told: what to do included.

No errors of errors.py, which imports more than this room may: these end as JSON-RPC errors.
"""

# The codes of JSON-RPC; -32000 is what the MCP SDKs use for a connection that is gone.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
CONNECTION_FAILED = -32000

_SAID_CHARACTERS = 300


class BridgeError(Exception):
    """Why a request has no answer of the server's; the text is the error's message."""

    def __init__(self, text: str, code: int = CONNECTION_FAILED) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


def unreachable(url: str, reason: str) -> BridgeError:
    """Nothing was sent, as there is no connection."""
    return BridgeError(
        f"llama-mcp at {url} cannot be reached: {reason}. Nothing was done. Once `llama-mcp serve "
        "--http` runs there, call again: this bridge waits and needs no restart."
    )


def not_trusted(url: str, reason: str) -> BridgeError:
    """The TLS handshake failed, so nothing was sent."""
    return BridgeError(
        f"The encrypted connection to {url} was refused, and nothing was sent: {reason}. The host "
        "name must be the one in the server's certificate; a certificate authority of one's own is "
        "named by SSL_CERT_FILE in the environment of `llama-mcp connect`."
    )


def broken_off(url: str, reason: str) -> BridgeError:
    """The connection ended between the request and its answer."""
    return BridgeError(
        f"The connection to llama-mcp at {url} broke off before the answer: {reason}. Whether the "
        "call was carried out is not known. A reply that has begun is kept: list_sessions and "
        "read_session show it. Call again once the server is back; this bridge needs no restart."
    )


def not_understood(url: str, problem: str) -> BridgeError:
    """What answered is not an MCP server, or not only that."""
    return BridgeError(
        f"What answers at {url} is not llama-mcp as this bridge knows it: {problem}. Check the URL "
        "that `llama-mcp connect` was given, and what stands in front of the server there."
    )


def refused(
    url: str, status: int, headers: "dict[str, str]", said: str, given_by: str
) -> BridgeError:
    """The server, or what stands in front of it, answered with a status that is no answer.

    Args:
        url: where.
        status: of HTTP.
        headers: of the answer, their names in lower case.
        said: the text that came with it; empty when there was none.
        given_by: where the token came from, in words; empty when none was given.
    """
    text = f"llama-mcp at {url} refused the request: {_meaning(status, headers, given_by)}"
    said = " ".join(said.split())
    if said:
        cut = said if len(said) <= _SAID_CHARACTERS else f"{said[:_SAID_CHARACTERS]}..."
        text += f" It said: {cut}"
    return BridgeError(text)


def _meaning(status: int, headers: "dict[str, str]", given_by: str) -> str:
    if status == 401 and not given_by:
        return (
            "it wants a token (401). Give `llama-mcp connect` one by --token-file FILE, or by "
            "LLAMA_MCP_TOKEN in its environment."
        )
    if status == 401:
        return (
            f"it does not know the token from {given_by} (401). Ask its operator for a valid one; "
            "a token file that has changed is read again at the next call."
        )
    if status in (301, 302, 303, 307, 308):
        where = headers.get("location", "nowhere")[:_SAID_CHARACTERS]
        return f"it sends elsewhere, to {where} ({status}). Give that URL if it is the right one."
    if status in (429, 503):
        after = headers.get("retry-after", "")
        when = f"after {after} seconds" if after.isdecimal() else "in a while"
        why = "too much at once" if status == 429 else "it is ending, or full"
        return f"{why} ({status}). Nothing was done; call again {when}."
    return _MEANINGS.get(status, f"it answered with the status {status}.")


_MEANINGS = {
    403: "this is not allowed (403).",
    404: "there is nothing at that path (404). llama-mcp serves at /mcp.",
    413: "the message is too large for it (413). Send less at once, or name files by their paths.",
    421: "it does not answer to this host name (421). Its operator has to list the name.",
    502: "the proxy there cannot reach it (502). Call again once it runs.",
    504: "the proxy there has had no answer from it in time (504).",
}
