"""How a reply is printed while it comes."""

import io

import pytest

from llama_mcp.cli.chat.events import Event, Instead, Text, Thought, Waits
from llama_mcp.cli.chat.reply_printing import ReplyPrinting
from llama_mcp.cli.display.progress_line import ProgressLine
from llama_mcp.cli.terminal import Terminal


class Screen(io.StringIO):
    """What a terminal was written."""

    def isatty(self) -> bool:
        return True


def printed(stream: io.StringIO, *events: Event, **environment: str) -> tuple[str, str]:
    """Print events; return what stdout and stderr have got."""
    stderr = Screen()
    printing = ReplyPrinting(Terminal(environment, stream), ProgressLine(environment, stderr))
    for event in events:
        printing.show(event)
    printing.end()
    return stream.getvalue(), stderr.getvalue()


def test_what_is_waited_for_is_gone_before_the_reply() -> None:
    out, err = printed(Screen(), Waits("Loading tiny: 1.0 s."), Text("Hello"))
    assert out == "Hello\n"
    assert err == "\r\x1b[KLoading tiny: 1.0 s.\r\x1b[K"


def test_reasoning_is_dim_and_ends_before_the_reply() -> None:
    out, _ = printed(Screen(), Thought("hm\r"), Thought("\n so"), Text("Yes.\n"))
    assert out == "\x1b[2mhm\n so\x1b[0m\n\nYes.\n"


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_reasoning_is_hidden_without_colours(environment: dict[str, str]) -> None:
    out, _ = printed(Screen(), Thought("hm"), Text("Yes."), **environment)
    assert out == "Yes.\n"


def test_a_reply_that_breaks_off_in_its_reasoning_leaves_no_colour() -> None:
    out, _ = printed(Screen(), Thought("hm"))
    assert out == "\x1b[2mhm\x1b[0m\n\n"


def test_what_turned_out_to_be_reasoning_is_followed_by_the_reply() -> None:
    out, _ = printed(Screen(), Text("so I think"), Instead("Yes."))
    assert out == "so I think\nYes.\n"


def test_a_pipe_gets_the_reply_to_the_character() -> None:
    out, _ = printed(io.StringIO(), Thought("hm"), Text("a\x1b[1m\r"), Text("\n"))
    assert out == "a\x1b[1m\r\n"


def test_a_terminal_gets_it_spelled_out() -> None:
    out, _ = printed(Screen(), Text("a\x1b"), Text("[1m\u202e\r"))
    assert out == "a\\x1b[1m\\u202e\\x0d\n"
