"""What the scripted model does in each program, and with what llama-server.

Two runs. In the first, llama.cpp's own server answers, with a tiny model; the program ends by
itself. In the second, the stand-in for llama-server takes longer for a reply than the program waits
for a call, on any machine; when the model has all of it, the program and its llama-mcp are killed.
Where each call has a llama-mcp of its own, the next one reads on where the last one stopped.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.fake_llama_server.install import install_fake
from tests.support.tiny_model import write_tiny_model

from clients.programs.program import Program
from clients.scripted_model.scenario import Scenario, Step, ToolCall

START = Step(ToolCall("start_llama_server"), r"is ready at")
# As text says it, and as structure does.
_COMPLETE = r"turn \d+, complete\b|status\W{1,12}complete\b"
QUESTION = {"message": "What is the capital of France?", "max_tokens": 40}
CHAT = Step(ToolCall("chat", QUESTION), _COMPLETE)
LONG_REPLY = Step(ToolCall("chat", {"message": "Tell me a long story."}), _COMPLETE)
SHORT = (START, CHAT)
# That chat starts its llama-server itself.
LONG = (LONG_REPLY,)

# Together longer than any program waits.
WORDS = 60
SECONDS_A_WORD = 0.3
# An unused llama-server is kept so long: for a moment, or until the next call.
MOMENT_SECONDS = 1
UNTIL_NEXT_CALL_SECONDS = 30


@dataclass(frozen=True)
class Prepared:
    """What a run needs: the scenario, llama-mcp's settings, and how long llama-server lingers."""

    scenario: Scenario
    settings: dict[str, str]
    linger_seconds: int


def prepare(folder: Path, program: Program, *, is_long: bool) -> Prepared:
    """Write what a run needs into its folder."""
    linger = UNTIL_NEXT_CALL_SECONDS if program.has_one_for_each_call else MOMENT_SECONDS
    settings = {
        "LLAMA_MCP_HOME": str(folder / "llama-mcp"),
        "LLAMA_MCP_PORT": "0",
        "LLAMA_MCP_LINGER_SECONDS": str(linger),
        "LLAMA_MCP_WAIT_SECONDS": str(program.wait_seconds),
    }
    if is_long:
        return Prepared(LONG, settings | _stand_in(folder), linger)
    return Prepared(SHORT, settings | _embedded(folder), linger)


def _embedded(folder: Path) -> dict[str, str]:
    """Return settings with which the embedded engine serves a tiny model."""
    model = write_tiny_model(folder / "tiny.gguf")
    return {
        "LLAMA_MCP_LLAMA_CPP_PATH": "embedded",
        "LLAMA_MCP_MODEL_PATH": str(model),
        # More would get into each other's way where other work shares the processors.
        "LLAMA_MCP_EXTRA_ARGS": "--threads 1",
    }


def _stand_in(folder: Path) -> dict[str, str]:
    """Return settings with which the stand-in takes its time."""
    reply = " ".join(["word"] * WORDS)
    engine = install_fake(folder / "engine", reply=reply, token_delay_seconds=SECONDS_A_WORD)
    model = write_tiny_model(folder / "tiny.gguf")
    return {"LLAMA_MCP_LLAMA_CPP_PATH": str(engine), "LLAMA_MCP_MODEL_PATH": str(model)}
