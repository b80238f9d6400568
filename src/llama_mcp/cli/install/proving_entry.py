"""The proof of an entry: llama-mcp is launched as the client launches it, and used once."""

from collections.abc import Callable, Iterable
from typing import Protocol

import anyio

from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.proving import Proof, prove
from llama_mcp.cli.signals import until_signal


class Prover(Protocol):
    """Proves launches."""

    def __call__(self, title: str, launch: Launch, *, is_quick: bool) -> Proof:
        """Return what came of a launch of the client with a title."""


class Proving:
    """Proves launches one after the other, each whole proof once.

    Many clients start llama-mcp in the same way, and a model takes seconds to start.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._known: list[tuple[Launch, Proof]] = []

    def __call__(self, title: str, launch: Launch, *, is_quick: bool) -> Proof:
        """Return what came of a launch; raises KeyboardInterrupt when we are asked to end.

        Args:
            title: the client.
            launch: how it starts llama-mcp.
            is_quick: whether the model is left out.
        """
        again = " once more, as its file says now" if is_quick else ""
        self._tell(f"{title}: llama-mcp is started as it does{again}")
        known = next((proof for one, proof in self._known if one == launch), None)
        if known and not is_quick:
            self._tell("that was proved before")
            return known
        proofs: list[Proof] = []

        async def act() -> int:
            proofs.append(await prove(launch, is_quick=is_quick, on_line=self._tell))
            return 0

        anyio.run(until_signal, act)
        if not proofs:
            raise KeyboardInterrupt
        self._known += [] if is_quick else [(launch, proofs[0])]
        return proofs[0]


def why_not(proof: Proof) -> str:
    """Return what failed and what to do, as one text."""
    parts: Iterable[str | None] = (proof.problem, proof.next_step)
    return " ".join(part for part in parts if part)
