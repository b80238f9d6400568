"""What goes wrong in a command, as a person at a terminal reads it.

An anticipated failure is told in a sentence, with its next step as a command. Anything else is a
bug, and ends with its traceback.
"""

import os
import sys
from collections.abc import Callable

from llama_mcp.errors import PLAIN_WORDS, LlamaMCPError, Words
from llama_mcp.visible_text import visible

FAILED = 1
ENDED_BY_CTRL_C = 130

# What to do next, as a person does it who has our commands.
COMMAND_WORDS: Words = {**PLAIN_WORDS}


def told_at_the_terminal(run: Callable[[], int]) -> int:
    """Run a command; tell an anticipated failure on stderr. Return the exit code."""
    try:
        return run()
    except LlamaMCPError as error:
        print(f"llama-mcp: {visible(error.told(COMMAND_WORDS))}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return ENDED_BY_CTRL_C
    except BrokenPipeError:
        # Whoever read our stdout has enough (`| head`); the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
