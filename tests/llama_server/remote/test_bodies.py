"""A request as each kind of engine takes it."""

from typing import Any

import pytest

from llama_mcp.llama_server.remote.bodies import body_for, left_out_note
from llama_mcp.turns.chat_request import Sampling, build_body

MESSAGES = [{"role": "user", "content": "Hello"}]
SAMPLING = Sampling(
    temperature=0.5, top_k=5, min_p=0.1, json_schema={"type": "object"}, thinking=False
)
WHOLE = build_body(MESSAGES, SAMPLING)


@pytest.mark.parametrize("kind", ["llama-server", "router"])
def test_llama_servers_get_all_as_it_is_with_their_model(kind: Any) -> None:
    assert body_for(kind, "m", WHOLE, (), "key") == {"model": "m", **WHOLE}


def test_others_get_what_openai_has_and_what_the_caller_asks_for() -> None:
    body = body_for("openai", "m", WHOLE, (), "key")
    assert body.keys() == {
        *("model", "messages", "stream_options", "temperature", "top_k", "min_p"),
        *("response_format", "chat_template_kwargs", "user"),
    }
    assert body["response_format"]["json_schema"]["name"] == "reply"
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "name" not in WHOLE["response_format"]["json_schema"]


def test_going_on_with_a_reply_is_asked_of_llama_servers_only() -> None:
    rest = build_body([*MESSAGES, {"role": "assistant", "content": "Hi"}], Sampling())
    assert "continue_final_message" in body_for("llama-server", None, rest, (), None)
    assert "continue_final_message" not in body_for("openai", None, rest, (), None)


def test_a_caller_hears_only_of_what_it_has_set() -> None:
    assert left_out_note(["stream_options", "user"]) is None
    said = left_out_note(["response_format", "chat_template_kwargs", "stream_options"])
    assert said == "The engine does not know json_schema, thinking, which were left out."
