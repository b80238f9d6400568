"""One client is set up: looked at, proved, written, proved again; or our entry is taken out."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from llama_mcp.cli.install.changing import own_program
from llama_mcp.cli.install.changing.change import (
    Change,
    Kind,
    change_to_add,
    change_to_remove,
    entry_in,
    file_of,
    other_names,
)
from llama_mcp.cli.install.changing.config_file import ConfigFile, read_file
from llama_mcp.cli.install.changing.writing import (
    Written,
    add_by_program,
    carry_out,
    current_change,
    put_back,
    remove_by_program,
)
from llama_mcp.cli.install.errors import CLOSE_IT, ClientFileError
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.entry import Entry
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.install.outcome import Outcome, State
from llama_mcp.cli.install.proving_entry import Prover, why_not
from llama_mcp.cli.secrets import HIDDEN, shown_variable
from llama_mcp.errors import LlamaMCPError


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        entry: What clients are to start.
        is_project: Whether the project's file is meant, not the user's.
        is_replacement: Whether another entry of our name may be replaced.
        is_dry_run: Whether it is only to be shown.
    """

    entry: Entry
    is_project: bool = False
    is_replacement: bool = False
    is_dry_run: bool = False


def set_up(client: Client, wish: Wish, places: Places, prove: Prover) -> Outcome:
    """Put our entry into a client's file; what cannot be is told in the outcome."""
    try:
        path = file_of(client, places, is_project=wish.is_project)
        value = client.written(wish.entry)
        change = current_change(path, partial(change_to_add, client, value=value))
        found = _looked_at(client, wish, change)
        if found.state is not State.ADDED:
            return found
        launch = client.start.launch(wish.entry, places.current)
        proof = prove(client.title, launch, is_quick=False)
        if not proof.is_proved:
            problem = why_not(proof)
            return found.but(state=State.NOT_PROVED, proof=proof.lines, problem=problem)
        written = _written(client, wish, places, path)
        return _proved_again(client, wish, places, prove, found.but(proof=proof.lines), written)
    except LlamaMCPError as error:
        return Outcome(client.name, client.title, State.FAILED, problem=str(error))


def take_out(client: Client, places: Places, *, is_project: bool, is_dry_run: bool) -> Outcome:
    """Take our entry out of a client's file; what cannot be is told in the outcome."""
    try:
        path = file_of(client, places, is_project=is_project)
        plan = partial(change_to_remove, client)
        change = current_change(path, plan)
        shown = _shown_change(client, change)
        found = Outcome(client.name, client.title, State.NOT_THERE, path, shown)
        if change.kind is Kind.NOTHING:
            return found
        if is_dry_run:
            return found.but(state=State.WOULD_CHANGE)
        program = None if is_project else own_program.found_program(client, places)
        if program is None:
            written = carry_out(client, path, plan, is_private=True)
        else:
            written = remove_by_program(client, change, program)
        return found.but(state=State.REMOVED, backup=written.backup)
    except LlamaMCPError as error:
        return Outcome(client.name, client.title, State.FAILED, problem=str(error))


def _looked_at(client: Client, wish: Wish, change: Change) -> Outcome:
    """Return what is known before anything is tried; added, if it is to be."""
    read = change.read
    twins = tuple(
        f"`{name}` in the same file starts llama-mcp too; the client then has everything twice."
        for name in other_names(client, read)
    )
    shown = _shown_change(client, change)
    found = Outcome(client.name, client.title, State.ADDED, read.path, shown, notes=twins)
    if change.kind is Kind.NOTHING:
        return found.but(state=State.ALREADY_THERE)
    if change.kind is Kind.REPLACE and not wish.is_replacement:
        steps = ("run it again with --replace to have that entry replaced by the new one",)
        return found.but(state=State.DIFFERENT, next_steps=steps)
    if wish.is_dry_run:
        return found.but(state=State.WOULD_CHANGE)
    return found


def _written(client: Client, wish: Wish, places: Places, path: Path) -> Written:
    """Write the entry: by the client's own program where that is better, else into its file."""
    value = client.written(wish.entry)

    def plan(read: ConfigFile) -> Change:
        change = change_to_add(client, read, value)
        if change.kind is Kind.REPLACE and not wish.is_replacement:
            raise ClientFileError(path, "has another entry of that name since")
        return change

    program = None if wish.is_project else own_program.found_program(client, places)
    if program is None:
        return carry_out(client, path, plan, is_private=not wish.is_project)
    return add_by_program(client, path, plan, program, value)


def _proved_again(
    client: Client, wish: Wish, places: Places, prove: Prover, found: Outcome, written: Written
) -> Outcome:
    """Prove what stands in the file now; put back what was there if it cannot be."""
    now = read_file(written.change.read.path)
    entry = entry_in(client, now)
    if entry is None:
        raise ClientFileError(now.path, "was written by somebody else since", CLOSE_IT)
    launch = client.start.launch(entry, places.current)
    proof = prove(client.title, launch, is_quick=True)
    if proof.is_proved:
        was_there = written.change.kind is Kind.REPLACE
        return found.but(
            state=State.REPLACED if was_there else State.ADDED,
            backup=written.backup,
            next_steps=_to_do(client, wish),
        )
    put_back(client, written)
    problem = f"{why_not(proof)} What was there before was put back."
    return found.but(state=State.NOT_PROVED, proof=found.proof + proof.lines, problem=problem)


def _shown_change(client: Client, change: Change) -> tuple[str, ...]:
    """Return what goes and what comes, without what looks like a secret in the entry that goes."""
    before = entry_in(client, change.read)
    env = before.env if before else {}
    hidden = [text for name, text in env.items() if shown_variable(name, text) == HIDDEN and text]
    lines = change.hunk()
    for text in hidden:
        lines = tuple(line.replace(text, HIDDEN) for line in lines)
    return lines


def _to_do(client: Client, wish: Wish) -> tuple[str, ...]:
    more = client.to_do_in_project if wish.is_project else ""
    return tuple(step for step in (client.to_do, more) if step)
