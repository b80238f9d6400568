"""Check: every client's entry: whether it can start llama-mcp, as that client starts it."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread

from llama_mcp.cli.doctor.entries.finding import PROJECT, USER, FoundEntry, entries_of
from llama_mcp.cli.doctor.entries.time_limits import call_limit, start_limit
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.cli.install.clients.all_clients import CLIENTS, is_installed
from llama_mcp.cli.install.command_path import passing_folder_of
from llama_mcp.cli.install.errors import HOW_TO_STAY, ClientFileError
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.proving import Proof, prove
from llama_mcp.cli.secrets import shown_variable
from llama_mcp.home_folders import home_of_user
from llama_mcp.reading_settings import PREFIX, read_settings

# Beside others a proof takes longer, and clients have limits.
_AT_A_TIME = 2
# What a call needs beyond what it waits for.
_MARGIN_SECONDS = 2.0
# Clients ask for trust before they start what a project brings.
_NOT_LAUNCHED = "not launched, since a project's file may be anybody's; --prove launches it"
_IN_FILE = "Set it right in that file, and start the client again."


async def look_at_clients(circumstances: Circumstances) -> Sequence[Finding]:
    """Say of each client what its entries start, and whether that works."""
    home = home_of_user() or Path.cwd()
    places = Places(sys.platform, home, circumstances.environment, Path.cwd())
    found, lines = await anyio.to_thread.run_sync(_all_entries, places, abandon_on_cancel=True)
    lines += _duplicates(found)
    reports: dict[int, Sequence[Finding]] = {}
    limiter = anyio.CapacityLimiter(_AT_A_TIME)

    async def report(number: int, entry: FoundEntry) -> None:
        async with limiter:
            reports[number] = await _findings_of(entry, circumstances)

    async with anyio.create_task_group() as tasks:
        for number, entry in enumerate(found):
            tasks.start_soon(report, number, entry)
    return [*(line for number in sorted(reports) for line in reports[number]), *lines]


def _all_entries(places: Places) -> tuple[list[FoundEntry], list[Finding]]:
    """Return all entries, and what is to be said of clients without one. Blocking."""
    found: list[FoundEntry] = []
    lines: list[Finding] = []
    without: list[Client] = []
    for client in CLIENTS:
        try:
            entries = entries_of(client, places)
        except ClientFileError as error:
            told = f"{client.title}: {error.situation}"
            lines.append(fault(told, "Set it right: its client cannot read it either."))
            continue
        found += entries
        if not entries and is_installed(client, places):
            without.append(client)
    if without:
        titles = ", ".join(client.title for client in without)
        names = " ".join(client.name for client in without)
        lines.append(fine(f"here without an entry: {titles}; `llama-mcp install {names}` adds it"))
    elif not found:
        lines.append(fine("no client that is known was found here"))
    return found, lines


def _duplicates(found: Sequence[FoundEntry]) -> list[Finding]:
    """Warn of entries that one program reads together; some clients are two, with a file each."""
    lines = []
    on = [entry for entry in found if not entry.is_off]
    for client in {entry.client.name: entry.client for entry in on}.values():
        own = [entry for entry in on if entry.client is client]
        for file in {entry.file: None for entry in own if entry.scope == USER} or [None]:
            together = [entry for entry in own if entry.scope != USER or entry.file == file]
            if len(together) > 1:
                lines.append(_twice(client, together))
    return lines


def _twice(client: Client, entries: Sequence[FoundEntry]) -> Finding:
    where = "; ".join(f"`{entry.name}` in {entry.file} ({entry.scope})" for entry in entries)
    return warning(
        f"{client.title} has {len(entries)} entries that start llama-mcp: {where}. Where their "
        "names differ, its model sees every tool as often; of one name, one counts.",
        "Take out all but one.",
    )


async def _findings_of(found: FoundEntry, circumstances: Circumstances) -> Sequence[Finding]:
    lines = [fine(f"{found.title}: {found.file}{_told_settings(found)}")]
    if found.is_off:
        return [*lines, fine(f"{found.title}: turned off")]
    launch = launch_of(found, circumstances)
    if launch is None:
        return [*lines, _gone(found)]
    given = {**launch.passes.of(circumstances.environment), **launch.env}
    lines += [*_passing(found, launch, circumstances), *_wrong_settings(found)]
    lines += _too_short(found, read_settings(given).wait_seconds)
    if found.scope == PROJECT and not circumstances.proves_all:
        return [*lines, fine(f"{found.title}: {_NOT_LAUNCHED}")]
    proof = await prove(launch, is_quick=not circumstances.proves_all)
    return [*lines, _proved(found, proof)]


def launch_of(found: FoundEntry, circumstances: Circumstances) -> Launch | None:
    """Return how the client launches its entry; None where its command is not there."""
    launch = found.client.start.launch(found.entry, Path.cwd())
    handed_on = {**launch.passes.of(circumstances.environment), **launch.env}
    program = os.path.expanduser(launch.argv[0])
    command = shutil.which(program, path=handed_on.get("PATH", ""))
    if command is None:
        return None
    limit = start_limit(found.client.name, found.written) or launch.first_answer_seconds
    argv = (os.path.abspath(command), *launch.argv[1:])
    return replace(launch, argv=argv, first_answer_seconds=limit)


def _gone(found: FoundEntry) -> Finding:
    command = found.entry.command
    is_path = os.path.basename(command) != command
    where = "which is no program that can be run" if is_path else "which is not on the PATH it has"
    return fault(
        f"{found.title} starts {command}, {where}.",
        f"`llama-mcp install {found.client.name} --replace` puts in the command of this one.",
    )


def _passing(found: FoundEntry, launch: Launch, circumstances: Circumstances) -> list[Finding]:
    folder = passing_folder_of(launch.argv[0], circumstances.environment)
    lost = f"{found.title} starts {launch.argv[0]}, which will not last: it lies in {folder}."
    return [warning(lost, f"{HOW_TO_STAY}.")] if folder else []


def _wrong_settings(found: FoundEntry) -> list[Finding]:
    settings = read_settings(found.entry.env)
    wrong = [fault(f"{found.title}: {each.text}", _IN_FILE) for each in settings.faults]
    return [*wrong, *(warning(f"{found.title}: {each}", _IN_FILE) for each in settings.notices)]


def _too_short(found: FoundEntry, wait_seconds: float) -> list[Finding]:
    limit = call_limit(found.client.name, found.written)
    if limit is None or wait_seconds + _MARGIN_SECONDS <= limit:
        return []
    return [
        warning(
            f"{found.title} gives up a call after {limit:g} s, and llama-mcp waits "
            f"{wait_seconds:g} s.",
            f"Set LLAMA_MCP_WAIT_SECONDS to {max(1, limit - _MARGIN_SECONDS):.0f} or less in its "
            "entry, or give the client a longer limit; docs/clients.md says where.",
        )
    ]


def _told_settings(found: FoundEntry) -> str:
    told = [f"{name}={shown_variable(name, text)}" for name, text in found.entry.env.items()]
    # Its settings first: others are for what they name.
    told.sort(key=lambda each: not each.startswith(PREFIX))
    return f", sets {', '.join(told)}" if told else ""


def _proved(found: FoundEntry, proof: Proof) -> Finding:
    seen = ", ".join(proof.lines)
    if proof.problem is None:
        return fine(f"{found.title}: works as it is started there: {seen}")
    after = f" Before: {seen}." if seen else ""
    next_step = proof.next_step or "See docs/troubleshooting.md."
    return fault(f"{found.title} does not work: {proof.problem}{after}", next_step)
