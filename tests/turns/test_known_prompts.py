"""A prompt that is known bounds the next one: against what real engines count, whatever is said."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.starter_model import starter_model_path
from llama_mcp.opening import open_services
from llama_mcp.services import Services
from llama_mcp.settings import Settings, inherited_environment
from llama_mcp.turns.chat_request import ChatRequest, Sampling
from llama_mcp.turns.known_prompts import KEPT_SESSIONS, KnownPrompts
from llama_mcp.turns.message_parts import ChatMessage, ChatMessages
from llama_mcp.turns.prompt import Window, fit_prompt, surely_fits
from llama_mcp.turns.turn import Turn
from tests.fake_llama_server.install import received_requests
from tests.support.processes import PATIENCE_SECONDS, until, until_all_leave
from tests.turns.conftest import Room

SESSION = "session"
# Each puts the messages' texts next to other things; the last two change what stands before them.
TEMPLATES = {
    "its own": "",
    "texts only": "{% for m in messages %}{{ m.content }}{% endfor %}",
    "plain words": (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    ),
    "trimmed": (
        "{% for m in messages %}[{{ m.role }}] {{ m.content | trim }} {% endfor %}[assistant]"
    ),
    "system prompt behind": (
        "{% for m in messages %}{% if m.role != 'system' %}"
        "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }}\n{% endif %}"
        "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endif %}{% endfor %}"
        "<|im_start|>assistant\n"
    ),
}
# What has made tokenizers err: blanks, long runs, special tokens, bytes that are no letters.
PIECES = st.sampled_from(
    ["the", " of", "  ", "\n", "\t\t", "\r\n", "=", "0", "aA", "é", "字", "🜁", "<|im_end|>", "\x00"]
)
TEXTS = (
    st.text(min_size=1, max_size=40)
    | st.lists(PIECES, min_size=1, max_size=30).map("".join)
    | st.builds(lambda piece, times: piece * times, PIECES, st.integers(1, 80))
).filter(lambda text: bool(text.strip()))
EXCHANGES = st.lists(st.tuples(TEXTS, TEXTS), max_size=3)


def said(
    system_prompt: str | None, exchanges: Sequence[tuple[str, str]], message: str
) -> ChatMessages:
    head = [{"role": "system", "content": system_prompt}] if system_prompt else []
    pairs = [
        {"role": role, "content": text}
        for exchange in exchanges
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
    return [*head, *pairs, {"role": "user", "content": message}]


def known_of(messages: Sequence[ChatMessage], tokens: int, **sampling: Any) -> KnownPrompts:
    known = KnownPrompts()
    known.note(SESSION, "run", messages, Sampling(**sampling), {"prompt_tokens": tokens})
    return known


@asynccontextmanager
async def talking(home: Path, engine: str, model: Path, **changes: Any) -> AsyncIterator[Services]:
    """Give a process whose llama-server is ready."""

    async def ignore(_seconds: float, _message: str) -> None:
        return

    config = Settings(
        home=home, llama_cpp_path=engine, model_path=str(model), port=0, linger_seconds=0
    )
    async with open_services(config.model_copy(update=changes), inherited_environment()) as process:
        await process.supervisor.start(
            LaunchArguments(),
            replace=False,
            wait_seconds=PATIENCE_SECONDS,
            timeout_seconds=PATIENCE_SECONDS,
            progress=ignore,
        )
        yield process
    await until_all_leave(home, "all processes have left")
    process.supervisor.attachment.reap_keepers()


@pytest.fixture
def starter_model() -> Path:
    path = starter_model_path()
    assert path is not None
    return path


@pytest.fixture(params=TEMPLATES)
async def reader(
    request: pytest.FixtureRequest, tmp_path: Path, engine: str, starter_model: Path
) -> AsyncIterator[ReadyServer]:
    """A llama-server with the tokenizer of a real model, and one of the templates."""
    template = TEMPLATES[request.param]
    extra_args = ("--chat-template", template) if template else ()
    home = tmp_path / "home"
    async with talking(home, engine, starter_model, extra_args=extra_args) as process:
        yield await process.supervisor.ready_server()


@given(
    system_prompt=st.none() | TEXTS,
    exchanges=EXCHANGES,
    message=TEXTS,
    later=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=2),
)
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_prompt_has_no_more_tokens_than_follow_from_what_it_begins_with(
    reader: ReadyServer,
    system_prompt: str | None,
    exchanges: list[tuple[str, str]],
    message: str,
    later: list[tuple[str, str]],
) -> None:
    read = said(system_prompt, exchanges, message)
    follow = [(message, later[0][0]), *later[1:]]
    whole = said(system_prompt, [*exchanges, *follow], later[-1][1])
    known = known_of(read, await reader.count_tokens(read)).of(SESSION, "run")
    assert known is not None
    most = known.most_tokens_of(whole)
    assert most is not None and await reader.count_tokens(whole) <= most


async def test_a_prompt_that_does_not_begin_with_the_known_one_is_not_bounded_by_it() -> None:
    read = said("Be brief.", [("one", "two")], "three")
    known = known_of(read, 100).of(SESSION, "run")
    assert known is not None
    longer = said("Be brief.", [("one", "two"), ("three", "four")], "five")
    assert known.most_tokens_of(longer) == 100 + 3 * 32 + len("fourfive")
    for other in (
        said("Rhyme.", [("one", "two"), ("three", "four")], "five"),
        said(None, [("one", "two"), ("three", "four")], "five"),
        said("Be brief.", [("one", "too"), ("three", "four")], "five"),
        said("Be brief.", [("three", "four")], "five"),
        said("Be brief.", [], "one"),
    ):
        assert known.most_tokens_of(other) is None


def test_only_what_the_same_launch_has_told_of_a_whole_prompt_is_known() -> None:
    messages = said(None, [], "hello")
    assert known_of(messages, 9).of(SESSION, "another run") is None
    assert known_of(messages, 9).of("another session", "run") is None
    for told in ({}, {"prompt_tokens": 0}, {"prompt_tokens": None}, {"prompt_tokens": "9"}):
        known = KnownPrompts()
        known.note(SESSION, "run", messages, Sampling(), told)
        assert known.of(SESSION, "run") is None
    # Templates may say something else with these, and prompts are counted without them.
    for sampling in ({"thinking": False}, {"json_schema": {"type": "object"}}):
        changed = known_of(messages, 9, **sampling).of(SESSION, "run")
        assert changed is not None and changed.most_tokens == 9 + 512


def test_a_prompt_with_a_picture_is_never_known_nor_bounded() -> None:
    url = {"url": "data:image/png;base64,"}
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": url}]}
    assert known_of([picture], 9).of(SESSION, "run") is None
    read = said(None, [], "hello")
    known = known_of(read, 9).of(SESSION, "run")
    answer = {"role": "assistant", "content": "hi"}
    assert not surely_fits([*read, answer, picture], Window(4096, None), known)


def test_no_more_sessions_are_kept_than_lately_had_a_turn() -> None:
    known = KnownPrompts()
    messages = said(None, [], "hello")
    for number in range(KEPT_SESSIONS + 1):
        known.note(f"{number}", "run", messages, Sampling(), {"prompt_tokens": 9})
        assert known.of("0", "run") is not None or number == KEPT_SESSIONS
    assert known.of("1", "run") is not None


@pytest.mark.parametrize("sampling", [{}, {"json_schema": {"type": "array"}}, {"thinking": False}])
async def test_what_a_reply_tells_of_its_prompt_is_what_is_counted(
    tmp_path: Path, engine: str, starter_model: Path, sampling: dict[str, Any]
) -> None:
    async with talking(tmp_path / "home", engine, starter_model) as process:
        turn = await complete(
            process, ChatRequest(message="hello", sampling=Sampling(**sampling), owner=LOCAL_OWNER)
        )
        server = await process.supervisor.ready_server()
        messages = said(server.system_prompt, [], "hello")
        assert turn.reply.usage().prompt_tokens == await server.count_tokens(messages)


async def complete(process: Services, request: ChatRequest) -> Turn:
    """Have a whole turn with a short reply."""
    short = request.sampling.model_copy(update={"max_tokens": 8, "temperature": 1.5})
    turn = await process.in_flight.take_turn(replace(request, sampling=short))
    await until(lambda: turn.is_over, "the turn is over")
    return turn


@pytest.mark.slow
async def test_a_session_is_cut_where_it_would_be_if_every_prompt_were_counted(
    tmp_path: Path, engine: str, starter_model: Path
) -> None:
    home, session_id, uncounted, cuts = tmp_path / "home", None, 0, 0
    async with talking(home, engine, starter_model, ctx_size=512, parallel=1) as process:
        server = await process.supervisor.ready_server()
        known = process.in_flight.known_prompts
        for number in range(16):
            message = f"{number}. Tell me more about this one thing, please. " * (1 + number % 3)
            request = ChatRequest(message=message, session_id=session_id, owner=LOCAL_OWNER)
            if session_id is not None:
                begun = await process.archive.next_turn(session_id, owner=LOCAL_OWNER)
                before = known.of(session_id, server.serving_id)
                counted = await fit_prompt(begun, request, server)
                assert await fit_prompt(begun, request, server, before) == counted
                window = Window(server.slot_ctx_size, None)
                uncounted += surely_fits(counted.messages, window, before)
                uncounted -= surely_fits(counted.messages, window)
                cuts += counted.first_turn != begun.first_turn_in_prompt
            session_id = (await complete(process, request)).session_id
    assert cuts and uncounted


def counts(room: Room) -> int:
    """How many prompts llama-server has counted."""
    return sum("input_tokens" in each["path"] for each in received_requests(room.fake_folder))


@pytest.mark.posix
async def test_a_long_session_is_counted_only_where_its_last_prompt_says_too_little(
    open_room: Any,
) -> None:
    async with open_room(ctx_size=1024) as room:
        await room.start_llama_server()
        turn = await room.complete("word " * 300)  # more bytes than the window has tokens
        before = counts(room)
        assert before
        for _ in range(3):
            turn = await room.complete("Go on.", turn.session_id)
        assert counts(room) == before

        # Its prompt begins otherwise.
        await room.services.archive.update_session(
            turn.session_id, system_prompt="Be brief.", owner=LOCAL_OWNER
        )
        await room.complete("Go on.", turn.session_id)
        assert counts(room) == before + 1
        await room.complete("Go on.", turn.session_id)
        assert counts(room) == before + 1

        # Another llama-server may read it otherwise.
        await room.starter.supervisor.stop(force=True)
        await room.start_llama_server()
        await room.complete("Go on.", turn.session_id)
        assert counts(room) == before + 2

        # It comes near the end of the window.
        await room.complete("word " * 100, turn.session_id)
        assert counts(room) == before + 3
