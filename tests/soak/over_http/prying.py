"""What belongs to others: every way to it gives what an id gives that nobody ever had."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.soak.client import SoakClient
from tests.soak.ledger import MARKER, Ledger

NEVER = "zzzz-zzzz-zzzz"
WAYS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("read_session", {}),
    ("chat", {"message": "<{owner} 0> whose is it?"}),
    ("wait_for_reply", {"wait_seconds": 0}),
    ("cancel_reply", {}),
    ("fork_session", {}),
    ("update_session", {"title": "<{owner} 0> mine"}),
    ("delete_session", {}),
)


def person_of(owner: str) -> str:
    """Return whose client it is."""
    return owner.partition("x")[0]


def strange_in(frame: Mapping[str, Any], person: str) -> list[str]:
    """Return the markers of other people's messages in a frame."""
    found = set(MARKER.findall(json.dumps(frame)))
    return sorted(marker for marker in found if person_of(marker[1:]) != person)


async def pry(
    owner: str, client: SoakClient, ledger: Ledger, counts: Counter[str], chance: random.Random
) -> None:
    """Try one way to a session of somebody else."""
    others = [
        said.session_id
        for said in ledger.said.values()
        if said.session_id and person_of(said.owner) != person_of(owner)
    ]
    if not others:
        return
    session_id = chance.choice(others)
    if chance.random() < 0.25:
        await _pry_by_uri(owner, client, ledger, session_id)
        counts["tried to read another's resource"] += 1
        return
    tool, given = chance.choice(WAYS)
    filled = {name: _filled(value, owner) for name, value in given.items()}
    texts = [
        _refusal((await client.call(tool, session_id=one, **filled)).text, one)
        for one in (session_id, NEVER)
    ]
    counts[f"tried another's session by {tool}"] += 1
    if texts[0] != texts[1]:
        ledger.fault(f"{tool} tells {owner} of another's session: {texts[0][:300]}")


async def _pry_by_uri(owner: str, client: SoakClient, ledger: Ledger, session_id: str) -> None:
    frames = [
        await client.ask("resources/read", {"uri": f"llama://sessions/{one}"})
        for one in (session_id, NEVER)
    ]
    errors = [
        _refusal(json.dumps(frame.get("error")), one)
        for frame, one in zip(frames, (session_id, NEVER), strict=True)
    ]
    if errors[0] != errors[1]:
        ledger.fault(f"a resource tells {owner} of another's session: {errors[0][:300]}")


def _refusal(text: str, session_id: str) -> str:
    """Return what a refusal says, without the id and without one's own sessions that it names."""
    told, _, _ = text.replace(session_id, "ID").partition(" The newest: ")
    return told


def _filled(value: Any, owner: str) -> Any:
    return value.replace("{owner}", owner) if isinstance(value, str) else value
