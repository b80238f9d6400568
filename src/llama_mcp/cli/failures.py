"""What goes wrong in a command, as a person at a terminal reads it.

An anticipated failure is told in a sentence, with its next step as a command. Anything else is a
bug, and ends with its traceback.
"""

import os
import re
import sys
from collections.abc import Callable

from llama_mcp.errors import PLAIN_WORDS, LlamaMCPError, Step, Words
from llama_mcp.visible_text import visible

FAILED = 1
WRONG_ARGUMENTS = 2
ENDED_BY_CTRL_C = 130

# What to do next, as a person does it who has our commands.
COMMAND_WORDS: Words = {
    **PLAIN_WORDS,
    Step.START: "run `llama-mcp chat`",
    Step.STOP: "run `llama-mcp stop`",
    Step.FORCE_STOP: "run `llama-mcp stop --force`",
    Step.STOP_LAST: "run `llama-mcp stop`",
    Step.STOP_ONE: "run `llama-mcp stop` with the name of one of them",
    Step.REPLACE: "before that `llama-mcp stop`",
    Step.STATUS: "run `llama-mcp status`",
    Step.CHAT: "run `llama-mcp chat`",
    Step.WAIT: "wait for the reply with `llama-mcp chat -s ID`",
    Step.CANCEL: "run `llama-mcp sessions cancel ID`",
    Step.FORK: "have an assistant call fork_session",
    Step.LIST_SESSIONS: "run `llama-mcp sessions`",
    Step.DOWNLOAD: "run `llama-mcp models pull` with its name",
    Step.RUN_ON_FILES: "have an assistant call run_on_files",
}
# What texts call by the names of parameters, as it is given at a terminal.
_GIVEN_AS = {
    "session_id": "-s ID",
    "model_path": "-m MODEL or LLAMA_MCP_MODEL_PATH",
    "ctx_size": "LLAMA_MCP_CTX_SIZE",
    "n_gpu_layers": "LLAMA_MCP_N_GPU_LAYERS",
    "extra_args": "LLAMA_MCP_EXTRA_ARGS",
    "llama_cpp_path": "LLAMA_MCP_LLAMA_CPP_PATH",
    "port=0": "LLAMA_MCP_PORT=0",
    "max_tokens": "--max-tokens N",
}


def told_at_the_terminal(run: Callable[[], int]) -> int:
    """Run a command; tell an anticipated failure on stderr. Return the exit code."""
    try:
        exit_code = run()
        sys.stdout.flush()  # what nobody reads shows here, not as the interpreter ends
        return exit_code
    except LlamaMCPError as error:
        print(f"llama-mcp: {told(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return ENDED_BY_CTRL_C
    except BrokenPipeError:
        # Whoever read our stdout has enough (`| head`); the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        what = f"{error.strerror or error}{f' ({error.filename})' if error.filename else ''}"
        print(f"llama-mcp: the operating system refused this: {visible(what)}", file=sys.stderr)
        return FAILED


def told(error: LlamaMCPError) -> str:
    """Return a failure as harmless text, with what to do next as commands and settings."""
    return visible(in_the_terminals_words(error.told(COMMAND_WORDS)))


def in_the_terminals_words(text: str) -> str:
    """Return a text that may name parameters, and below it what these are at a terminal."""
    named = [name for name in _GIVEN_AS if re.search(rf"\b{name}\b", text)]
    if not named:
        return text
    given = ", ".join(f"{name} by {_GIVEN_AS[name]}" for name in named)
    return f"{text}\nAt a terminal is given: {given}."
