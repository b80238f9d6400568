"""Next steps of errors, in the words of somebody who has our commands."""

import re

import pytest

from llama_mcp.cli.commands import COMMANDS
from llama_mcp.cli.failures import COMMAND_WORDS, in_the_terminals_words, told
from llama_mcp.errors import PLAIN_WORDS, Step
from llama_mcp.llama_server.errors import NotRunningError, PortTakenError
from llama_mcp.llama_server.status import ServerState, ServerStatus, with_step
from llama_mcp.sessions.errors import SessionNotFoundError


@pytest.mark.parametrize("step", Step)
def test_every_step_has_words_of_the_terminal(step: Step) -> None:
    words = COMMAND_WORDS[step]
    assert words != PLAIN_WORDS[step]
    named = re.findall(r"`llama-mcp (\w+)", words)
    assert set(named) <= {command.name for command in COMMANDS}


def test_a_failure_proposes_a_command() -> None:
    assert told(NotRunningError()) == "No llama-server is running. Run `llama-mcp chat` first."
    missing = told(SessionNotFoundError("k7m2", {}, are_alike=False))
    assert missing.endswith("Run `llama-mcp sessions` to find it.")


def test_parameters_that_a_text_names_are_told_as_settings_and_options() -> None:
    text = told(PortTakenError(8080, "nginx (pid 7)"))
    assert text.endswith("At a terminal is given: port=0 by LLAMA_MCP_PORT=0.")
    assert in_the_terminals_words("Nothing of it.") == "Nothing of it."


def test_a_failure_is_harmless_at_a_terminal() -> None:
    assert "\x1b" not in told(PortTakenError(8080, "\x1b[31mred"))


@pytest.mark.parametrize("state", ServerState)
def test_a_status_says_what_to_do_next_as_a_command(state: ServerState) -> None:
    message = with_step(ServerStatus(state=state, message="So it is."), COMMAND_WORDS).message
    assert message.startswith("So it is.")
    assert "call " not in message and "{" not in message
