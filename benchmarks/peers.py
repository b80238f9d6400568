"""llama-mcp beside what somebody would take instead, in one run.

    python benchmarks/peers.py [--engine PATH] [--folder FOLDER] [--quick]

Plain HTTP, the `openai` package, local-delegate-mcp and @houtini/lm (fetched from PyPI and npm into
FOLDER, by default benchmarks/.peers), and llama-mcp twice, all by turns and with one llama-server,
behind a relay that notes when a request came and when its reply went. What each adds to a turn is
what lies before and after. First with a tiny model, then with the starter model.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from measuring import quiet
from measuring.equal_builds import settings_for
from measuring.recording_relay import moments_of, write_relay
from measuring.scene import (
    engine_command,
    poor_environment,
    read_arguments,
    scratch_folder,
    tiny_model,
)
from peer_programs.packages import PeerPackages, fetch
from peer_programs.ways import (
    Houtini,
    LlamaMcp,
    LocalDelegate,
    OpenAiPackage,
    Peer,
    PlainHttp,
)

TOKENS = 32
ROUNDS, QUICK_ROUNDS = {"tiny": 60, "starter": 20}, {"tiny": 8, "starter": 3}
START_ROUNDS, QUICK_START_ROUNDS = 5, 2
WARM_UP_TURNS = 5


@dataclass(frozen=True)
class Added:
    """What one turn through a peer took before its request came, and after, in milliseconds."""

    before: float
    after: float
    first_text: float | None
    """Before, and from llama-server's first text to the caller's; None if it comes at the end."""

    @property
    def whole(self) -> float:
        """All that it added."""
        return self.before + self.after


@dataclass(frozen=True)
class Started:
    """Milliseconds from spawn until a peer could be asked, and until its first reply was there."""

    ready: float
    first_reply: float


class Race:
    """One llama-server behind a relay, and everybody who has turns with it."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._numbers = count()

    def turn(self, peer: Peer) -> Added:
        """Have a turn and return what the peer added."""
        since = time.perf_counter()
        call = peer.turn(self._message(), TOKENS)
        quiet.wait()  # the relay writes down what it has passed on
        relayed = moments_of(self._program, since)
        before = (relayed.asked - call.begun_at) * 1000
        first_text = None
        if call.first_text_at is not None:
            first_text = before + (call.first_text_at - relayed.first_text) * 1000
        return Added(before, (call.ended_at - relayed.last) * 1000, first_text)

    def start(self, spawn: Callable[[], Peer]) -> Started:
        """Spawn a peer, have its first reply and end it."""
        with closing(spawn()) as peer:
            ended_at = peer.turn(self._message(), TOKENS).ended_at
            moments = [peer.ready_at, ended_at]
            return Started(*((moment - peer.spawned_at) * 1000 for moment in moments))

    def _message(self) -> str:
        return f"{next(self._numbers):06d}: tell me a long story about the sea"


def measure_model(
    name: str, packages: PeerPackages, engine: str, folder: Path, is_quick: bool
) -> dict[str, float]:
    """Measure everybody with one model, print the table, and return what each added."""
    folder.mkdir()
    model: Path | str = tiny_model(folder) if name == "tiny" else ""
    program = write_relay(folder / "relay", engine_command(engine))
    environment = poor_environment(folder, **settings_for(str(program.parent), model))
    with ExitStack() as stack:
        ours = stack.enter_context(closing(LlamaMcp(environment)))
        port = ours.call("start_llama_server")["port"]
        spawns: list[Callable[[], Peer]] = [
            partial(LlamaMcp, environment),
            partial(OpenAiPackage, packages, port),
            partial(Houtini, packages, folder, port),
            partial(LocalDelegate, packages, folder, port),
        ]
        peers: list[Peer] = [PlainHttp(port), ours]
        peers += [stack.enter_context(closing(spawn())) for spawn in spawns]
        race = Race(program)
        for peer in [*peers] * WARM_UP_TURNS:
            race.turn(peer)
        rounds = (QUICK_ROUNDS if is_quick else ROUNDS)[name]
        turns = list(quiet.by_turns([partial(race.turn, peer) for peer in peers], rounds))
        memory = [peer.resident_mib() for peer in peers]
        start_rounds = QUICK_START_ROUNDS if is_quick else START_ROUNDS
        starts = list(
            quiet.by_turns([partial(race.start, spawn) for spawn in spawns], start_rounds)
        )
    print_header(name)
    added: dict[str, float] = {}
    for number, peer in enumerate(peers):
        started = [each[number - 2] for each in starts] if number >= 2 else []
        row = [each[number] for each in turns]
        print_row(peer.name, row, started, memory[number])
        added.setdefault(peer.name, statistics.median(turn.whole for turn in row))
    return added


def print_header(name: str) -> None:
    """Print what the columns are."""
    print(
        f"\n{name} model, {TOKENS} tokens, medians in ms; first text: before, and after it was sent"
    )
    columns = ("before", "after", "added", "first text", "ready", "first reply", "MiB")
    print(f"{'':24}" + "".join(f"{column:>12}" for column in columns))


def print_row(name: str, turns: Sequence[Added], starts: Sequence[Started], mib: float) -> None:
    """Print what one peer took."""
    texts = [turn.first_text for turn in turns if turn.first_text is not None]
    figures = [
        statistics.median(turn.before for turn in turns),
        statistics.median(turn.after for turn in turns),
        statistics.median(turn.whole for turn in turns),
        statistics.median(texts) if texts else None,
        statistics.median(start.ready for start in starts) if starts else None,
        statistics.median(start.first_reply for start in starts) if starts else None,
    ]
    cells = ["" if figure is None else f"{figure:.1f}" for figure in figures]
    if not texts:
        cells[3] = "at the end"
    cells.append(f"{mib:.0f}" if mib else "")
    print(f"{name:24}" + "".join(f"{cell:>12}" for cell in cells), flush=True)


def judge(name: str, added: dict[str, float]) -> bool:
    """Print whether llama-mcp adds least, plain HTTP aside; return it."""
    others = {peer: ms for peer, ms in added.items() if peer not in (LlamaMcp.name, PlainHttp.name)}
    ours = added[LlamaMcp.name]
    ahead = {peer: ms for peer, ms in others.items() if ms <= ours}
    for peer, ms in ahead.items():
        print(f"{name} model: {peer} adds {ours - ms:.1f} ms less than llama-mcp: MISSED")
    if not ahead:
        print(f"{name} model: llama-mcp adds least: met")
    return not ahead


def main() -> None:
    """Read the arguments and measure."""
    arguments = read_arguments(__doc__, more=["--folder"])
    kept = Path(__file__).with_name(".peers")
    packages = fetch(Path(arguments.folder).absolute() if arguments.folder else kept)
    with scratch_folder() as folder:
        verdicts = [
            judge(name, measure_model(name, packages, arguments.engine, folder / name, quick))
            for name, quick in ((model, arguments.quick) for model in ROUNDS)
        ]
    sys.exit(0 if all(verdicts) else 1)


if __name__ == "__main__":
    main()
