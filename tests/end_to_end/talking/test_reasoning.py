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
    assert (reply["reply"], reply["reasoning"]) == ("It is four.", THOUGHT)
    assert "notes" not in reply
    assert progress.text == "It is four."
    # Tokens that are thought count as progress, without a message.
    assert progress.rises and progress.values[-1] == reply["context"]["tokens_used"]
    assert text_of(result).startswith("It is four.\n") and "2 + 2 is" not in text_of(result)

    session = {"session_id": reply["session_id"]}
    (turn,) = (await connection.call("read_session", **session))["turns"]
    assert (turn["reply"], turn["reasoning"]) == ("It is four.", THOUGHT)
    transcript = await connection.read(f"llama://sessions/{reply['session_id']}")
    assert "> Let me think:\n> 2 + 2 is 4.\n\nIt is four." in transcript
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
    assert (reply["reply"], reply["reasoning"]) == ("", "Let me think:\n2 + 2")
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
        lambda part: part.get("reasoning") == "Let me think:\n2 + 2",
        "wait_for_reply",
        wait_seconds=0.05,
        **session,
    )
    assert (part["status"], part["reply"]) == ("in_progress", "")
    stopped = await connection.call("cancel_reply", **session)
    assert (stopped["status"], stopped["reasoning"]) == ("cancelled", part["reasoning"])
    page = await connection.call("read_session", **session)
    assert page["turns"][0]["reasoning"] == part["reasoning"]

    # Half a character in it is valid text everywhere.
    set_faults(shared_fake, reply="Yes.", reasoning=["Hm \ud83d", "\u4e2d"], bytes_per_chunk=1)
    reply = await connection.call("chat", message="?")
    assert (reply["reply"], reply["reasoning"]) == ("Yes.", "Hm \ufffd\u4e2d")
    page = await connection.call("read_session", session_id=reply["session_id"])
    assert page["turns"][0]["reasoning"] == reply["reasoning"]
