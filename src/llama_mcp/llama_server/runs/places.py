"""Where a run lives: here, or elsewhere with the same home folder.

Machines and containers can share a home folder. A pid of elsewhere means nothing here, so a run
of elsewhere is never judged by processes. What is known of it is whether its keeper or one of its
users holds a lock, as far as the file system carries locks from there to here.
"""

import os
import platform
from functools import cache

from pydantic import BaseModel

from llama_mcp.keeper import boot, identity, lease_locks, run_dir
from llama_mcp.llama_server.runs.namespaces import own_namespaces


class Place(BaseModel, frozen=True):
    """A machine since it was switched on, or a container on it. Empty: the system does not say."""

    host: str = ""
    boot: str = ""
    namespaces: str = ""
    """Linux: those of pids and of the network."""


@cache
def here() -> Place:
    """Return the place of this process."""
    return Place(host=platform.node(), boot=boot.boot_id(), namespaces=own_namespaces())


def is_same_boot(place: Place) -> bool:
    """Tell whether the machine was not switched off since, as far as the system says."""
    ours = here()
    return not (place.boot and ours.boot) or place.boot == ours.boot


def of_older_record(start: str | None) -> Place | None:
    """Return the place of a run whose record names none, by the start time of its keeper."""
    boot = identity.boot_in(start or "")
    return Place(boot=boot) if boot else None


def is_here(place: Place, folder: str, ours: Place) -> bool:
    """Tell whether the run in the folder is to be judged by the processes of this place.

    It is, too, when it was on this host before the host, or the container, was started again: then
    its processes are gone, which their start times prove.

    Args:
        place: where it was launched.
        folder: its folder.
        ours: this place.
    """
    if _is_same(place, ours):
        return True
    return place.host in ("", ours.host) and not is_held(folder)


def can_live(place: Place, folder: str, ours: Place) -> bool:
    """Tell whether a run of elsewhere may still run, for all that is known here."""
    # On the same kernel a lock that nobody holds proves that nobody lives.
    is_same_kernel = bool(place.boot) and place.boot == ours.boot
    return not is_same_kernel or is_held(folder)


def is_held(folder: str) -> bool:
    """Tell whether the keeper of the run in the folder, or a user of it, holds its lock."""
    return lease_locks.is_locked(os.path.join(folder, run_dir.KEEPER_LOCK)) or any(
        map(lease_locks.is_locked, lease_locks.paths_in(os.path.join(folder, run_dir.LEASES)))
    )


def _is_same(place: Place, ours: Place) -> bool:
    if place.namespaces and ours.namespaces and place.namespaces != ours.namespaces:
        return False
    if place.boot and ours.boot:  # a host can be given another name while it runs
        return place.boot == ours.boot
    return place.host in ("", ours.host)
