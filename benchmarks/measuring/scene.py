"""Where a benchmark plays: its arguments, a folder, the models, and what a host passes on."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measuring import quiet

LLAMA_MCP = [str(Path(sys.executable).with_name("llama-mcp"))]
BARE_SERVER = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]


def read_arguments(
    description: str | None, *, rounds: int = 0, quick: int = 0, more: Iterable[str] = ()
) -> argparse.Namespace:
    """Return the arguments that every benchmark takes: engine, rounds, quick, any moment.

    Args:
        description: the program's docstring.
        rounds: how often everything is measured when nothing is said; 0: it is not for the caller
            to say.
        quick: how often with --quick.
        more: names of further arguments, without a default.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_arguments(parser)
    if rounds:
        how_often = f"default {rounds}, with --quick {quick}"
        parser.add_argument("--rounds", type=int, default=None, help=how_often)
    for name in more:
        parser.add_argument(name)
    arguments = parser.parse_args()
    heed_common_arguments(arguments)
    if rounds and arguments.rounds is None:
        arguments.rounds = quick if arguments.quick else rounds
    return arguments


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Let a parser take the arguments that are the same everywhere."""
    parser.add_argument("--engine", default="embedded", help="llama.cpp folder, or `embedded`")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter replies")
    any_moment = "take samples while other programs run, too"
    parser.add_argument("--any-moment", action="store_true", help=any_moment)


def heed_common_arguments(arguments: argparse.Namespace) -> None:
    """Do what those arguments say that no benchmark has to know of."""
    if arguments.any_moment:
        quiet.take_any_moment()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards; say how busy the machine is before and after."""
    # So that `timeout` and the like leave no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    print(f"{os.cpu_count()} processors, load {_load()}")
    with tempfile.TemporaryDirectory(prefix="llama-mcp-benchmark-") as folder:
        yield Path(folder)
    print(f"load at the end {_load()}")


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def tiny_model(folder: Path, context_length: int = 65536) -> Path:
    """Write the tests' tiny model, whose reply never ends by itself, and return its path."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.support.tiny_model import write_tiny_model

    return write_tiny_model(folder / "tiny.gguf", context_length=context_length)


def engine_command(engine: str) -> list[str]:
    """Return the command of the real llama-server."""
    from llama_mcp.llama_server.engine.locate import locate_engine

    return list(locate_engine(engine, "").command)


def poor_environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return what a host passes on, a home inside folder, and our settings.

    An unused llama-server ends at once unless they say otherwise.
    """
    ours = {"LINGER_SECONDS": 0} | settings
    named = {f"LLAMA_MCP_{name}": str(value) for name, value in ours.items()}
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "LLAMA_MCP_HOME": str(folder / "llama-mcp"),
        **named,
    }
