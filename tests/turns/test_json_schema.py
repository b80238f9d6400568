"""A json_schema comes from an agent and the reply from a model: neither can do any harm."""

import socket
import threading
from typing import Any

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.records import TurnStatus
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.json_schema import MAX_DEPTH, check_schema, time_limit
from llama_mcp.turns.partial_reply import PartialReply
from llama_mcp.turns.reply import ChatReply
from llama_mcp.turns.reply_building import TurnFacts, reply_from

# Each level doubles what is to be checked.
MULTIPLYING = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    | {"d40": {}},
    "$ref": "#/$defs/d0",
}
A_REPLY_OF_A = '"' + "a" * 40 + '!"'


def reply_to(schema: dict[str, Any], text: str) -> ChatReply:
    facts = TurnFacts(
        session_id="x",
        turn=1,
        status=TurnStatus.COMPLETE,
        sampling=Sampling(json_schema=schema),
        context_limit=None,
        n_gpu_layers=None,
        turns_dropped=0,
        cache_miss=None,
        notes=(),
    )
    return reply_from(PartialReply(pieces=[text]), facts)


def test_nothing_that_a_schema_refers_to_is_fetched() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        schema = {"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/x"}
        check_schema(schema)
        reply = reply_to(schema, "1")
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert (reply.parsed, len(reply.notes)) == (1, 1)
    assert "could not be checked against json_schema: Unresolvable" in reply.notes[0]


def test_a_schema_may_refer_to_the_schema_of_schemas() -> None:
    reply = reply_to({"$ref": "https://json-schema.org/draft/2020-12/schema"}, '{"type": "object"}')
    assert (reply.parsed, reply.notes) == ({"type": "object"}, [])


@pytest.mark.parametrize("schema", [{"pattern": "^(a|a)*$"}, MULTIPLYING])
def test_a_check_that_would_take_for_ever_is_given_up_and_the_reply_is_there(
    schema: dict[str, Any],
) -> None:
    check_schema(schema)
    reply = reply_to(schema, A_REPLY_OF_A)
    assert reply.reply == A_REPLY_OF_A
    assert reply.parsed == "a" * 40 + "!"
    assert "it takes longer than" in reply.notes[0]


def test_a_schema_that_is_nested_too_deeply_is_refused_in_words() -> None:
    schema: dict[str, Any] = {}
    for _ in range(300):
        schema = {"properties": {"a": schema}}
    with pytest.raises(InvalidArgumentError, match="nested too deeply"):
        check_schema(schema)


@pytest.mark.parametrize(("depth", "is_given"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_data_that_no_client_could_read_is_left_to_the_text(depth: int, is_given: bool) -> None:
    text = "[" * depth + "]" * depth
    reply = reply_to({}, text)
    assert reply.reply == text
    assert (reply.parsed is not None) == is_given
    assert any("too deeply" in note for note in reply.notes) != is_given


def test_outside_the_main_thread_work_has_no_limit_and_is_done() -> None:
    done: list[bool] = []

    def work() -> None:
        with time_limit(1e-6):
            done.append(sum(range(10_000)) > 0)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
