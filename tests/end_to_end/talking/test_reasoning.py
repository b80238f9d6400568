"""Models that reason first: what they think stays apart from what they say."""

import json
from pathlib import Path

import pytest

from tests.fake_llama_server.install import received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import Connection, Progress, text_of

REASONING = ["Let me", " think:\n", "2 + 2", " is 4."]
THOUGHT = "".join(REASONING)


@pytest.fixture
def connection(shared_connection: Connection, shared_fake: Path) -> Connection:
    set_faults(shared_fake, reply="It is four.", reasoning=REASONING)
    return shared_connection


async def test_reasoning_is_apart_from_the_reply_everywhere(
    connection: Connection, shared_fake: Path
) -> None:
    progress = Progress()
    result = await connection.result("chat", progress, message="2 + 2?", thinking=True)
    reply = result.structured_content
    assert reply is not None
    # It is counted, and read_session has it: whoever asks pays for the reply only.
    assert reply["reply"] == "It is four." and "reasoning" not in reply
    assert reply["usage"]["reasoning_tokens"] == len(REASONING)
    assert f"({len(REASONING)} of them reasoning)" in text_of(result)
    assert "notes" not in reply
    assert progress.text == "It is four."
    # Tokens that are thought count as progress, without a message.
    assert progress.rises and progress.values[-1] == reply["context"]["tokens_used"]
    assert text_of(result).startswith("It is four.\n") and "2 + 2 is" not in text_of(result)

    session = {"session_id": reply["session_id"]}
    (turn,) = (await connection.call("read_session", **session))["turns"]
    assert (turn["reply"], turn["reasoning"]) == ("It is four.", THOUGHT)
    transcript = await connection.read(f"llama://sessions/{reply['session_id']}")
    assert "> Let me think:\n> 2 + 2 is 4.\n\n*Reply*\n\n> It is four." in transcript
    data = json.loads(await connection.read(f"llama://sessions/{reply['session_id']}.json"))
    assert data["turns"][0]["reasoning"] == THOUGHT

    # What was thought once is not said to the model again.
    await connection.call("chat", message="Sure?", **session)
    body = [r["body"] for r in received_requests(shared_fake) if r["path"] == CHAT][-1]
    assert [message["content"] for message in body["messages"]] == [
        "2 + 2?",
        "It is four.",
        "Sure?",
    ]


async def test_a_budget_that_went_into_reasoning_whole_says_so_and_what_to_change(
    connection: Connection,
) -> None:
    result = await connection.result("chat", message="2 + 2?", max_tokens=3)
    reply = result.structured_content
    assert reply is not None
    assert (reply["reply"], reply["usage"]["reasoning_tokens"]) == ("", 3)
    assert reply["finish_reason"] == "length"
    (note,) = [note for note in reply["notes"] if "reasoning" in note]
    assert "The reply is empty" in note
    assert "larger max_tokens" in note and "thinking=false" in note
    # Hosts that show their model only the text tell it the same.
    assert note in text_of(result)
    page = await connection.call("read_session", session_id=reply["session_id"])
    assert page["turns"][0]["notes"] == reply["notes"]
    # The empty turn is no part of the next prompt, and stands in nobody's way.
    more = await connection.call("chat", message="Well?", session_id=reply["session_id"])
    assert (more["turn"], more["reply"]) == (2, "It is four.")


async def test_reasoning_is_shown_as_it_comes_and_is_always_valid_text(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(shared_fake, reply="It is four.", reasoning=REASONING, hang_at_token=3)
    part = await connection.call("chat", message="2 + 2?", wait_seconds=0)
    session = {"session_id": part["session_id"]}
    part = await connection.call_until(
        lambda part: part.get("usage", {}).get("reasoning_tokens") == 3,
        "wait_for_reply",
        wait_seconds=0.05,
        **session,
    )
    assert (part["status"], part["reply"]) == ("in_progress", "")
    stopped = await connection.call("cancel_reply", **session)
    assert (stopped["status"], stopped["usage"]["reasoning_tokens"]) == ("cancelled", 3)
    page = await connection.call("read_session", **session)
    assert page["turns"][0]["reasoning"] == "Let me think:\n2 + 2"

    # Half a character in it is valid text everywhere.
    set_faults(shared_fake, reply="Yes.", reasoning=["Hm \ud83d", "\u4e2d"], bytes_per_chunk=1)
    reply = await connection.call("chat", message="?")
    assert reply["reply"] == "Yes."
    page = await connection.call("read_session", session_id=reply["session_id"])
    assert page["turns"][0]["reasoning"] == "Hm \ufffd\u4e2d"


async def test_thoughts_in_the_text_are_parted_and_not_sent_again_nor_are_those_of_a_history(
    connection: Connection, shared_fake: Path
) -> None:
    set_faults(
        shared_fake, reply_tokens=["<th", "ink>\nHm", ".</", "think>", "\n\nIt is", " four."]
    )
    history = [
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "<think>Easy.</think>Two."},
    ]
    progress = Progress()
    result = await connection.result("chat", progress, message="2 + 2?", history=history)
    reply = result.structured_content
    assert reply is not None
    assert (reply["reply"], progress.text) == ("It is four.", "It is four.")
    page = await connection.call("read_session", session_id=reply["session_id"])
    assert page["turns"][-1]["reasoning"] == "Hm."
    await connection.call("chat", message="Sure?", session_id=reply["session_id"])
    body = [r["body"] for r in received_requests(shared_fake) if r["path"] == CHAT][-1]
    contents = [message["content"] for message in body["messages"]]
    assert contents == ["1 + 1?", "Two.", "2 + 2?", "It is four.", "Sure?"]


async def test_a_call_of_a_tool_is_the_reply_as_text_with_a_note(
    connection: Connection, shared_fake: Path
) -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Paris"}'}
    deltas = [{"tool_calls": [{"index": 0, "function": function}]}, {}]
    chunks = [
        {"choices": [{"delta": delta, "finish_reason": end}]}
        for delta, end in zip(deltas, (None, "tool_calls"), strict=True)
    ]
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    set_faults(shared_fake, raw_chunks=[*lines, "data: [DONE]\n\n"])
    progress = Progress()
    result = await connection.result("chat", progress, message="Weather?")
    reply = result.structured_content
    assert reply is not None
    call = {"name": "get_weather", "arguments": {"city": "Paris"}}
    assert json.loads(reply["reply"]) == json.loads(progress.text) == call
    assert reply["finish_reason"] == "tool_calls"
    (note,) = reply["notes"]
    assert "tried to call the tool get_weather" in note
    page = await connection.call("read_session", session_id=reply["session_id"])
    assert json.loads(page["turns"][0]["reply"]) == call
