"""What is taken for an ordinary message is one to the SDK too; whatever is odd is left to it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import InitializeRequestParams
from mcp_types.methods import validate_client_request
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from llama_mcp.early.messages import (
    HANDSHAKE_VERSIONS,
    MODERN_VERSION,
    is_bare,
    is_enveloped,
    is_greeting,
    message_in,
)
from tests.support.raw_client import ENVELOPE, INITIALIZE

CLIENT = {"name": "x", "version": "1"}
# As clients announce them.
REAL_CAPABILITIES: list[dict[str, Any]] = [
    {},
    {"roots": {}},
    {"roots": {"listChanged": True}, "sampling": {}, "elicitation": {"form": {}, "url": {}}},
    {"elicitation": {"form": {"applyDefaults": True}}},
    {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}},
    {"experimental": {"x": {"deep": [1, 2.5, None]}}, "unknown": {}},
    {"tasks": {"list": {}, "cancel": {}, "requests": {"elicitation": {"create": {}}}}},
    {"sampling": {"context": {}, "tools": {}}},
]
NAMES = st.sampled_from(
    [
        *("roots", "sampling", "elicitation", "experimental", "extensions", "tasks", "other"),
        *("listChanged", "applyDefaults", "form", "url", "context", "tools", "list", "requests"),
        *("name", "version", "title", "description", "websiteUrl", "icons", "progressToken"),
        *("io.modelcontextprotocol/logLevel", "traceparent"),
    ]
)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, True, 0, 1.5, "", "2025-06-18", MODERN_VERSION]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def test_the_versions_are_those_of_the_sdk() -> None:
    assert HANDSHAKE_VERSIONS == HANDSHAKE_PROTOCOL_VERSIONS
    assert (MODERN_VERSION,) == MODERN_PROTOCOL_VERSIONS


@pytest.mark.parametrize("capabilities", REAL_CAPABILITIES, ids=json.dumps)
def test_what_real_clients_can_do_is_ordinary(capabilities: dict[str, Any]) -> None:
    assert is_greeting(INITIALIZE | {"capabilities": capabilities})
    meta = ENVELOPE | {"io.modelcontextprotocol/clientCapabilities": capabilities}
    assert is_enveloped({"_meta": meta | {"progressToken": 3, "traceparent": "00-1-2-03"}})


@pytest.mark.parametrize("levels", [200, 900, 5000])
@pytest.mark.parametrize("where", ["sampling", "experimental"])
def test_what_is_nested_deeper_than_the_sdk_reads_is_odd(levels: int, where: str) -> None:
    deep = '{"a":' * levels + "{}" + "}" * levels
    params = json.dumps(INITIALIZE | {"capabilities": {where: "deep"}}).replace('"deep"', deep)
    line = f'{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{params}}}'
    assert message_in(line.encode()) is None


@given(
    st.fixed_dictionaries(
        {
            "protocolVersion": st.sampled_from([*HANDSHAKE_VERSIONS, "2026-07-28", None]),
            "capabilities": JSON_VALUES,
            "clientInfo": st.just(CLIENT) | JSON_VALUES,
        },
        optional={"_meta": JSON_VALUES, "cursor": JSON_VALUES},
    )
)
def test_every_greeting_that_is_taken_the_sdk_takes_too(params: dict[str, Any]) -> None:
    if is_greeting(params):
        validate_client_request("initialize", "2025-11-25", params)
        InitializeRequestParams.model_validate(params, by_name=False)


@given(
    st.dictionaries(
        st.sampled_from([*ENVELOPE, "progressToken", "traceparent", "other"]),
        JSON_VALUES | st.just(MODERN_VERSION) | st.just(CLIENT),
    )
)
def test_every_meta_that_is_taken_the_sdk_takes_too(meta: dict[str, Any]) -> None:
    params: dict[str, Any] = {"_meta": meta}
    if is_enveloped(params):
        for method in ("server/discover", "tools/list", "resources/list"):
            validate_client_request(method, MODERN_VERSION, params)
    if is_bare(params):
        for version in HANDSHAKE_VERSIONS:
            validate_client_request("tools/list", version, params)


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": None},
        {"_meta": []},
        {"_meta": {"progressToken": True}},
        {"_meta": {"io.modelcontextprotocol/related-task": {}}},
    ],
)
def test_odd_params_are_left_to_the_sdk(params: dict[str, Any]) -> None:
    assert not is_bare(params)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"3",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":"\\ud83d","method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","more":1}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping"} {}',
        b"[" * 100_000,
    ],
    ids=lambda line: line[:60].decode("latin-1"),
)
def test_an_odd_line_is_left_to_the_real_server(line: bytes) -> None:
    assert message_in(line) is None


def test_a_notification_has_no_id() -> None:
    message = message_in(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert message is not None and "id" not in message
