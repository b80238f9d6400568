"""Which turns go into the prompt, for any history and any window."""

from collections.abc import Sequence

import anyio
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.sessions.begun_turns import EarlierTurn
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.message_parts import user_message
from llama_mcp.turns.prompt import (
    Said,
    Window,
    capped,
    choose_cut,
    surely_fits,
)
from llama_mcp.turns.replies.thoughts import part_thoughts

TOKENS = st.integers(min_value=1, max_value=400)


def cut_of(turn_tokens: Sequence[int], fixed_tokens: int, window: Window) -> int | None:
    """The cut for turns of these lengths; None when not even the message fits."""

    async def count(left_out: int) -> int:
        return fixed_tokens + sum(turn_tokens[left_out:])

    return anyio.run(choose_cut, len(turn_tokens), window, count)


@given(
    turn_tokens=st.lists(TOKENS, max_size=60),
    fixed_tokens=TOKENS,
    limit=st.integers(min_value=64, max_value=8192),
    max_tokens=st.none() | st.integers(min_value=1, max_value=10000),
)
def test_the_prompt_fits_and_no_more_is_left_out_than_the_target_asks(
    turn_tokens: list[int], fixed_tokens: int, limit: int, max_tokens: int | None
) -> None:
    window = Window(limit, max_tokens)
    cut = cut_of(turn_tokens, fixed_tokens, window)
    everything = fixed_tokens + sum(turn_tokens)
    if cut is None:
        assert fixed_tokens > window.prompt_limit
        return
    left = fixed_tokens + sum(turn_tokens[cut:])
    assert left <= window.prompt_limit < limit
    if everything <= window.prompt_limit:
        assert cut == 0
    elif cut > 1:
        assert fixed_tokens + sum(turn_tokens[cut - 1 :]) > window.target


@given(
    replies=st.lists(st.text(max_size=20), max_size=8),
    system_prompt=st.none() | st.text(min_size=1, max_size=20),
    message=st.text(min_size=1, max_size=20),
)
def test_the_prompt_keeps_order_begins_with_the_system_prompt_and_ends_with_the_message(
    replies: list[str], system_prompt: str | None, message: str
) -> None:
    turns = [
        EarlierTurn(number, f"m{number}", reply) for number, reply in enumerate(replies, start=1)
    ]
    messages = Said.of(turns, user_message(message)).messages(system_prompt)
    if system_prompt:
        assert messages[0] == {"role": "system", "content": system_prompt}
    assert messages[-1] == {"role": "user", "content": message}
    between = messages[1 if system_prompt else 0 : -1]
    # By turns, so that no template refuses it; a turn without an answer is left out whole.
    assert [m["role"] for m in between] == ["user", "assistant"] * (len(between) // 2)
    asked = [m["content"] for m in between[::2]]
    assert asked == [t.message for t in turns if part_thoughts(t.reply)[1]]


def test_thoughts_of_earlier_turns_are_not_sent_and_a_turn_of_thoughts_only_is_left_out() -> None:
    turns = [EarlierTurn(1, "one", "<think>Hm.</think>Yes"), EarlierTurn(2, "two", "<think>Hm")]
    said = Said.of(turns, user_message("three"))
    contents = [message["content"] for message in said.messages(None)]
    assert contents == ["one", "Yes", "three"]


@given(
    turn_tokens=st.lists(TOKENS, max_size=60),
    fixed_tokens=TOKENS,
    limit=st.integers(min_value=64, max_value=8192),
    max_tokens=st.integers(min_value=1, max_value=2**31 - 1),
)
def test_no_max_tokens_leaves_out_more_turns_than_none_and_every_reply_ends_in_the_window(
    turn_tokens: list[int], fixed_tokens: int, limit: int, max_tokens: int
) -> None:
    cut = cut_of(turn_tokens, fixed_tokens, Window(limit, max_tokens))
    without = cut_of(turn_tokens, fixed_tokens, Window(limit, None))
    assert without is None or (cut is not None and cut <= without)
    if cut is not None:
        tokens = fixed_tokens + sum(turn_tokens[cut:])
        allowed = capped(Sampling(max_tokens=max_tokens), limit, tokens).max_tokens
        assert allowed == min(max_tokens, limit - tokens) >= 1


@given(st.lists(st.text(max_size=300), min_size=1, max_size=10), st.integers(64, 4096))
def test_what_surely_fits_has_fewer_bytes_than_the_prompt_may_have_tokens(
    contents: list[str], limit: int
) -> None:
    messages = [{"role": "user", "content": content} for content in contents]
    if surely_fits(messages, Window(limit, None)):
        text_bytes = sum(len(content.encode()) for content in contents)
        assert text_bytes < Window(limit, None).prompt_limit


def test_the_cut_takes_one_big_step() -> None:
    window = Window(1000, None)
    cut = cut_of([100] * 9, 50, window)
    # 950 tokens do not fit into 875; down to 600, that is to five turns and the message.
    assert cut == 4
