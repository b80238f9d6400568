"""What was typed, kept from one conversation to the next."""

import json
from pathlib import Path

import pytest

from llama_mcp.cli.chat.typed_lines import Typed, TypedLines


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "home" / "chat-history.jsonl"


def typing(monkeypatch: pytest.MonkeyPatch, *lines: str | type[BaseException]) -> None:
    """Have these lines typed one after the other, or an end of input."""
    left = list(lines)

    def typed(_prompt: str = "") -> str:
        line = left.pop(0)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", typed)


def entries(history: Path) -> list[str]:
    return [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("lines", "typed"),
    [
        (["hello "], Typed("hello")),
        (["/new"], Typed("/new", is_command=True)),
        ([" /etc/hosts?"], Typed("/etc/hosts?")),
        (['"""one line"""'], Typed("one line")),
        (['"""', "/new", '"""'], Typed("/new")),
        (['"""one', "two"], Typed("one\ntwo")),
        (["half \ud83d"], Typed("half \ufffd")),
    ],
)
def test_a_line_is_a_message_or_a_command(
    monkeypatch: pytest.MonkeyPatch, history: Path, lines: list[str], typed: Typed
) -> None:
    typing(monkeypatch, *lines, EOFError)
    assert TypedLines(history).next() == typed


def test_the_end_of_input_is_none(monkeypatch: pytest.MonkeyPatch, history: Path) -> None:
    typing(monkeypatch, EOFError)
    assert TypedLines(history).next() is None
    assert not history.exists()


def test_what_was_typed_is_kept_in_its_order(
    monkeypatch: pytest.MonkeyPatch, history: Path
) -> None:
    typing(monkeypatch, "first", "", '"""a', 'b"""')
    lines = TypedLines(history)
    for _ in range(3):
        lines.next()
    assert entries(history) == ["first", '"""a\nb"""']


def test_a_long_history_is_shortened_and_a_broken_line_left_out(history: Path) -> None:
    history.parent.mkdir()
    kept = [json.dumps(f"line {number}") for number in range(2500)]
    history.write_text("\n".join([*kept, "{broken"]) + "\n", encoding="utf-8")
    TypedLines(history)
    assert len(history.read_text(encoding="utf-8").splitlines()) == 1000
    assert history.read_text(encoding="utf-8").endswith('"line 2499"\n{broken\n')


def test_a_history_that_cannot_be_written_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    typing(monkeypatch, "hello")
    assert TypedLines(tmp_path / "file" / "history").next() == Typed("hello")
