"""Networks between this machine and workers: a namespace and a cable for each."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


class NotAllowedError(Exception):
    """This user or machine may not make networks."""


@dataclass(frozen=True)
class Place:
    """A namespace, which stands for a machine, at the end of a cable."""

    number: int

    @property
    def name(self) -> str:
        return f"llama-mcp-{os.getpid()}-{self.number}"

    @property
    def cable(self) -> str:
        return f"lm{os.getpid() % 100_000}h{self.number}"

    @property
    def host(self) -> str:
        """The address of the far end, from the range that is for such tests (RFC 2544)."""
        return f"198.18.{self.number}.2"

    @property
    def inside(self) -> list[str]:
        """What a command begins with that runs there."""
        return ["ip", "netns", "exec", self.name]

    def connect(self) -> None:
        far = f"{self.cable}f"
        _ip("netns", "add", self.name)
        _ip("link", "add", self.cable, "type", "veth", "peer", "name", far)
        _ip("link", "set", far, "netns", self.name)
        _ip("addr", "add", f"198.18.{self.number}.1/30", "dev", self.cable)
        _ip("link", "set", self.cable, "up")
        _ip("-n", self.name, "addr", "add", f"{self.host}/30", "dev", far)
        _ip("-n", self.name, "link", "set", far, "up")

    def unplug(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.cable}f", "down")

    def plug(self) -> None:
        _ip("-n", self.name, "link", "set", f"{self.cable}f", "up")

    def shape(self, *rule: str) -> bool:
        """Make the cable slow both ways; tell whether this kernel can."""
        near = ["tc", "qdisc", "replace", "dev", self.cable, "root", *rule]
        far = [*self.inside, "tc", "qdisc", "replace", "dev", f"{self.cable}f", "root", *rule]
        return _succeeds(near) and _succeeds(far)

    def unshape(self) -> None:
        _succeeds(["tc", "qdisc", "del", "dev", self.cable, "root"])
        _succeeds([*self.inside, "tc", "qdisc", "del", "dev", f"{self.cable}f", "root"])

    def remove(self) -> None:
        _succeeds(["ip", "link", "del", self.cable])
        _succeeds(["ip", "netns", "del", self.name])


@contextmanager
def places(count: int) -> Iterator[list[Place]]:
    """Give so many places, each connected.

    Raises:
        NotAllowedError: this user or machine may not make them.
    """
    made = [Place(number + 1) for number in range(count)]
    try:
        for place in made:
            place.connect()
        yield made
    finally:
        for place in made:
            place.remove()


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotAllowedError(f"ip cannot be run ({error.strerror})") from error
    if done.returncode:
        raise NotAllowedError(f"`ip {' '.join(words)}`: {done.stderr.strip()}")


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
