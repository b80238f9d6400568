"""Which messages can be answered early: those of ordinary shape.

A message that is odd in any way is left to the real server, which alone judges it: what is said
here of a shape is narrower than what the SDK takes.
"""

from llama_mcp.early.json_text import parsed

# The members are of any JSON type.
Json = dict[str, object]

# The versions that `initialize` agrees on, and the one of requests that say it themselves; a test
# holds them to the SDK's.
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSION = "2026-07-28"

_RESERVED = "io.modelcontextprotocol/"
VERSION = f"{_RESERVED}protocolVersion"
_CAPABILITIES = f"{_RESERVED}clientCapabilities"
_CLIENT = f"{_RESERVED}clientInfo"

# The extension MCP Apps (SEP-1865).
_APPS = f"{_RESERVED}ui"
_APP_MIME_TYPE = "text/html;profile=mcp-app"

_MEMBERS = frozenset({"jsonrpc", "id", "method", "params"})
_CLIENT_TEXTS = frozenset({"name", "version", "title", "description", "websiteUrl"})
_OPEN = frozenset({"experimental", "extensions"})
_SWITCHES = frozenset({"listChanged", "applyDefaults"})
# The real server makes U+FFFD of half a surrogate pair.
_SURROGATE = "\\ud"
# The SDK takes 200 levels. No ordinary message begins so many objects and lists in all.
_MOST_BEGUN = 128
# What every JSON parser takes for the same number.
_GREATEST_ID = 2**53


def message_in(line: bytes) -> Json | None:
    """Return the JSON-RPC request or notification of a line; None when it is anything else."""
    if line.count(b"{") + line.count(b"[") > _MOST_BEGUN:
        return None
    try:
        text = line.decode()
        message = parsed(text)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(message, dict)
        or not message.keys() <= _MEMBERS
        or _SURROGATE in text.lower()
    ):
        return None
    is_message = message.get("jsonrpc") == "2.0" and isinstance(message.get("method"), str)
    if not is_message or not isinstance(message.get("params", {}), dict):
        return None
    return message if _is_id(message.get("id", 0)) else None


def is_greeting(params: Json) -> bool:
    """Tell whether the params of `initialize` are those of a client that we know how to greet."""
    return (
        params.get("protocolVersion") in HANDSHAKE_VERSIONS
        and params.keys() <= {"protocolVersion", "capabilities", "clientInfo", "_meta"}
        and _are_capabilities(params.get("capabilities"))
        and _is_client(params.get("clientInfo"))
        and is_bare(params, {"protocolVersion", "capabilities", "clientInfo"})
    )


def told_capabilities(params: Json) -> object:
    """Return the capabilities in the envelope of 2026-07-28; None without one."""
    meta = params.get("_meta")
    return meta.get(_CAPABILITIES) if isinstance(meta, dict) else None


def shows_apps(capabilities: object) -> bool:
    """Tell whether a client with these capabilities shows pages of ours, as the SDK tells it."""
    extensions = capabilities.get("extensions") if isinstance(capabilities, dict) else None
    settings = extensions.get(_APPS) if isinstance(extensions, dict) else None
    types = settings.get("mimeTypes") if isinstance(settings, dict) else None
    return isinstance(types, list) and _APP_MIME_TYPE in types


def is_enveloped(params: Json) -> bool:
    """Tell whether nothing but the envelope of 2026-07-28 is in the params, and all of it."""
    meta = params.get("_meta")
    return (
        params.keys() == {"_meta"}
        and isinstance(meta, dict)
        and meta.get(VERSION) == MODERN_VERSION
        and _are_capabilities(meta.get(_CAPABILITIES))
        and (_CLIENT not in meta or _is_client(meta[_CLIENT]))
        and _has_plain_meta(meta, {VERSION, _CAPABILITIES, _CLIENT})
    )


def is_bare(params: Json, more: "set[str] | frozenset[str]" = frozenset()) -> bool:
    """Tell whether the params, but for those named, hold at most a `_meta` of older versions."""
    meta = params.get("_meta", {})
    return (
        params.keys() <= {"_meta", *more}
        and isinstance(meta, dict)
        and _has_plain_meta(meta, set())
    )


def _has_plain_meta(meta: Json, reserved: set[str]) -> bool:
    return _is_id(meta.get("progressToken", 0)) and all(
        name in reserved or not name.startswith(_RESERVED) for name in meta
    )


def _is_id(value: object) -> bool:
    return isinstance(value, str) or (type(value) is int and abs(value) <= _GREATEST_ID)


def _is_client(value: object) -> bool:
    return (
        isinstance(value, dict)
        and {"name", "version"} <= value.keys() <= _CLIENT_TEXTS
        and all(isinstance(text, str) for text in value.values())
    )


def _are_capabilities(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return all(
        isinstance(settings, dict)
        and (_are_objects(settings) if name in _OPEN else _is_nested(settings))
        for name, settings in value.items()
    )


def _are_objects(settings: Json) -> bool:
    return all(isinstance(value, dict) for value in settings.values())


def _is_nested(settings: Json) -> bool:
    """Tell whether there is nothing but objects in objects, and known switches."""
    return all(
        type(value) is bool if name in _SWITCHES else isinstance(value, dict) and _is_nested(value)
        for name, value in settings.items()
    )
