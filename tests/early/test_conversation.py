"""What is answered early, what is left to the real server, and what that is told of it."""

import json
from typing import Any

import pytest

from llama_mcp.early.catalogue import Catalogue
from llama_mcp.early.conversation import Conversation
from tests.support.raw_client import ENVELOPE, INITIALIZE

CATALOGUE: Catalogue = {
    ("legacy", "initialize"): '{"protocolVersion":"2025-11-25"}',
    ("legacy", "ping"): "{}",
    ("legacy", "tools/list"): '{"tools":[]}',
    ("legacy", "resources/list"): '{"resources":[]}',
    ("modern", "server/discover"): '{"x":1}',
    ("modern", "tools/list"): '{"tools":["modern"]}',
}
MODERN = {"_meta": ENVELOPE}
INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'


def line(method: str, params: dict[str, Any] | None = None, request_id: Any = 1) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return json.dumps(message if params is None else message | {"params": params}).encode()


def conversation() -> Conversation:
    return Conversation(CATALOGUE, lambda listed: (listed.replace("[]", '["new"]'), [1, 2, 3]))


def greeted() -> Conversation:
    begun = conversation()
    assert begun.answer(line("initialize", INITIALIZE)) is not None
    return begun


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_greeting_agrees_on_the_version_that_was_asked_for(version: str) -> None:
    answer = conversation().answer(line("initialize", INITIALIZE | {"protocolVersion": version}))
    expected = f'{{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"{version}"}}}}\n'
    assert answer == expected.encode()


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01"])
def test_a_greeting_with_another_version_is_left_to_the_real_server(version: str) -> None:
    begun = conversation()
    assert begun.answer(line("initialize", INITIALIZE | {"protocolVersion": version})) is None
    assert begun.replayed == []


@pytest.mark.parametrize("request_id", [7, -1, "", 'a"b\\\n\u2028é', "\x7f"])
def test_an_answer_has_the_id_of_its_request(request_id: int | str) -> None:
    answer = conversation().answer(line("ping", request_id=request_id))
    assert answer is not None and json.loads(answer)["id"] == request_id
    assert answer.count(b"\n") == 1


def test_lists_wait_for_the_handshake_and_a_ping_does_not() -> None:
    begun = conversation()
    assert begun.answer(line("tools/list")) is None
    assert begun.answer(line("ping")) is not None
    assert begun.answer(line("initialize", INITIALIZE)) is not None
    assert begun.answer(line("tools/list")) is not None


def test_the_real_server_is_told_the_handshake_and_of_no_list() -> None:
    begun = greeted()
    begun.answer(INITIALIZED + b"\r")
    for method in ("tools/list", "resources/list", "ping"):
        assert begun.answer(line(method))
    assert begun.replayed == [line("initialize", INITIALIZE), INITIALIZED]


def test_of_2026_07_28_the_real_server_is_told_the_first_request() -> None:
    begun = conversation()
    assert begun.answer(line("server/discover", MODERN))
    assert begun.answer(line("tools/list", MODERN))
    assert begun.replayed == [line("server/discover", MODERN)]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (line("server/discover", MODERN), line("initialize", INITIALIZE)),
        (line("server/discover", MODERN), line("tools/list")),
        (line("server/discover", MODERN), line("ping", MODERN)),
        (line("initialize", INITIALIZE), line("server/discover", MODERN)),
        (line("initialize", INITIALIZE), line("initialize", INITIALIZE)),
        (line("initialize", INITIALIZE), line("tools/list", {"cursor": "1"})),
        (line("initialize", INITIALIZE), line("tools/call", {"name": "status"})),
        (line("initialize", INITIALIZE), line("subscriptions/listen")),
        (line("initialize", INITIALIZE), b'{"jsonrpc":"2.0","id":1,"result":{}}'),
    ],
)
def test_what_does_not_fit_what_was_said_before_is_left_to_the_real_server(
    first: bytes, then: bytes
) -> None:
    begun = conversation()
    assert begun.answer(first)
    told = list(begun.replayed)
    assert begun.answer(then) is None
    assert begun.replayed == told


def test_a_cancellation_of_what_is_answered_is_forgotten() -> None:
    begun = greeted()
    cancelled = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    for _ in range(1000):
        assert begun.answer(cancelled) == b""
    assert begun.replayed == [line("initialize", INITIALIZE)]


def listen(params: dict[str, Any]) -> bytes:
    return line("subscriptions/listen", params | MODERN, "ears")


def test_a_listener_is_acknowledged_and_its_cancellation_is_the_real_servers() -> None:
    begun = conversation()
    wanted = {"notifications": {"resourcesListChanged": True, "toolsListChanged": False}}
    assert begun.answer(line("server/discover", MODERN))
    said = json.loads(begun.answer(listen(wanted)) or b"")
    assert said["params"]["notifications"] == {"resourcesListChanged": True}
    assert begun.replayed == [line("server/discover", MODERN), listen(wanted)]
    assert begun.is_heard
    cancelled = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    assert begun.answer(cancelled) is None


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"notifications": []},
        {"notifications": {"resourcesListChanged": 1}},
        {"notifications": {"resourceSubscriptions": ["llama://sessions"]}},
        {"notifications": {}, "more": 1},
    ],
)
def test_a_listener_to_what_is_not_known_is_left_to_the_real_server(params: dict[str, Any]) -> None:
    begun = conversation()
    assert begun.answer(listen(params)) is None  # nor is one that listens before all else
    assert begun.answer(line("server/discover", MODERN))
    assert begun.answer(listen(params)) is None
    assert not begun.is_heard


def test_behind_a_line_of_the_real_server_only_lasting_lists_are_answered() -> None:
    assert conversation().answer_behind(line("tools/list", MODERN)) is None
    begun = greeted()
    assert begun.answer_behind(line("tools/list")) is not None
    for left in (line("ping"), line("resources/list"), line("initialize", INITIALIZE), b"{"):
        assert begun.answer_behind(left) is None
    assert begun.answer_behind(INITIALIZED) is None
    assert begun.replayed == [line("initialize", INITIALIZE)]


def test_a_client_that_sends_many_notifications_gets_the_real_server() -> None:
    begun = greeted()
    notification = b'{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}'
    answers = [begun.answer(notification) for _ in range(100)]
    assert answers[0] == b""
    assert answers[-1] is None
    assert len(begun.replayed) < 100


def test_the_list_of_resources_is_completed_and_its_state_kept() -> None:
    begun = greeted()
    assert begun.list_told is None
    answer = begun.answer(line("resources/list"))
    assert answer is not None and json.loads(answer)["result"] == {"resources": ["new"]}
    assert begun.list_told == [1, 2, 3]


def test_a_list_that_cannot_be_completed_is_left_to_the_real_server() -> None:
    begun = Conversation(CATALOGUE, lambda _listed: None)
    begun.answer(line("initialize", INITIALIZE))
    assert begun.answer(line("resources/list")) is None


def test_a_blank_line_is_nothing() -> None:
    assert conversation().answer(b" \r") == b""
