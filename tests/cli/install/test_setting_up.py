"""A client is set up and cleared again, on every platform, whatever its file looks like."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.cli.install.changing.backups import backups_of
from llama_mcp.cli.install.changing.change import file_of
from llama_mcp.cli.install.clients.all_clients import BY_NAME, CLIENTS, installed_clients
from llama_mcp.cli.install.forms.editing import entries_at
from llama_mcp.cli.install.forms.json_text import JsonText
from llama_mcp.cli.install.forms.toml_text import TomlText
from llama_mcp.cli.install.known.client import STRICT_JSON, Client
from llama_mcp.cli.install.known.entry import NAME, Entry
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.install.outcome import Outcome, State
from llama_mcp.cli.install.setting_up import Wish, set_up, take_out
from tests.cli.install.machine import PLATFORMS, KnownProofs, places_below

ENTRY = Entry("/opt/llama-mcp/bin/llama-mcp", (), {"LLAMA_MCP_MODEL_PATH": "/m/Größe 7b.gguf"})
ALL_CLIENTS = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def install(client: Client, places: Places, *proofs: bool, **wishes: bool) -> Outcome:
    return set_up(client, Wish(ENTRY, **wishes), places, KnownProofs(*proofs))


def uninstall(client: Client, places: Places, *, is_project: bool = False) -> Outcome:
    return take_out(client, places, is_project=is_project, is_dry_run=False)


def written_file(client: Client, places: Places, content: bytes) -> Path:
    file = file_of(client, places, is_project=False)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def entries_in(client: Client, file: Path) -> dict[str, object]:
    return entries_at(client.form.parsed(file.read_bytes().decode("utf-8-sig")), client.keys)


def usual_text(client: Client) -> str:
    """Return a file of the client with another entry, and with what has nothing to do with it."""
    other, key = client.written(Entry("/usr/bin/other", ("--fast",))), ".".join(client.keys)
    if isinstance(client.form, TomlText):
        text = '# mine\nmodel = "x"  # of choice\n\n[mcp_servers.other]\ncommand = "other"\n'
        return f"{text}\n# next\n[tui]\nx = 1\n"
    if isinstance(client.form, JsonText):
        held = {"theme": "dark", key: {"other": other}, "last": [1, 2]}
        return json.dumps(held, indent=2) + "\n"
    entry = "- name: other # it" if client.is_list else "other: # it"
    return f"# mine\n{key}:\n  # first\n  {entry}\n    cmd: x\n\n# end\nlast: [1, 2]\n"


CHANGES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "comments": lambda text: text.replace("{\n", "{ // begins\n", 1).replace(
        '"last"', '/*{*/ "last"'
    ),
    "trailing commas": lambda text: text.replace("2\n  ]\n", "2,\n  ],\n"),
    "tabs": lambda text: text.replace("  ", "\t"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "BOM": lambda text: f"\ufeff{text}",
    "no last line end": lambda text: text.rstrip("\n"),
    "empty": lambda _: "",
    "nothing but blanks": lambda _: " \n\n",
    "without entries": lambda text: "{}" if text.startswith("{") else "# nothing\n",
}


def takes(client: Client, kind: str) -> bool:
    """Tell whether the client can read such a file."""
    if not isinstance(client.form, JsonText):
        return kind not in ("comments", "trailing commas", "tabs")
    has = {
        "comments": client.form.has_comments,
        "trailing commas": client.form.has_trailing_commas,
    }
    return has.get(kind, True)


CASES = [(client, kind) for client in CLIENTS for kind in CHANGES if takes(client, kind)]


@pytest.mark.parametrize(("client", "kind"), CASES, ids=lambda case: getattr(case, "name", case))
def test_any_file_gets_the_entry_once_and_is_given_back_byte_for_byte(
    tmp_path: Path, client: Client, kind: str
) -> None:
    places, before = places_below(tmp_path), CHANGES[kind](usual_text(client)).encode()
    file = written_file(client, places, before)
    done = install(client, places)
    assert (done.state, done.file) == (State.ADDED, file), done.problem
    entries = entries_in(client, file)
    assert client.entry_form.read(entries[NAME]) == ENTRY
    assert before.startswith(b"\xef\xbb\xbf") == file.read_bytes().startswith(b"\xef\xbb\xbf")
    assert done.backup is not None and done.backup.read_bytes() == before
    with_entry = file.read_bytes()
    assert install(client, places).state is State.ALREADY_THERE
    assert file.read_bytes() == with_entry
    assert uninstall(client, places).state is State.REMOVED
    assert file.read_bytes() == before
    assert uninstall(client, places).state is State.NOT_THERE
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("platform", PLATFORMS)
@ALL_CLIENTS
def test_a_file_that_was_made_for_the_entry_goes_with_it(
    tmp_path: Path, client: Client, platform: str
) -> None:
    places = places_below(tmp_path, platform)
    done = install(client, places)
    assert done.state is State.ADDED and done.backup is None, done.problem
    assert done.file is not None and done.file.is_relative_to(places.home)
    assert uninstall(client, places).state is State.REMOVED
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@ALL_CLIENTS
def test_a_project_has_a_file_of_its_own_where_the_client_has_one(
    tmp_path: Path, client: Client
) -> None:
    places = places_below(tmp_path)
    done = install(client, places, is_project=True)
    if not client.project_files:
        assert done.state is State.FAILED and "reads no file of a project" in done.problem
        return
    assert done.file == places.current / client.project_files[0]
    assert uninstall(client, places, is_project=True).state is State.REMOVED
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


@ALL_CLIENTS
def test_a_file_that_cannot_be_read_is_left_alone_and_its_fault_is_placed(
    tmp_path: Path, client: Client
) -> None:
    places, before = places_below(tmp_path), b'{\n  "a": [1, 2\n'
    file = written_file(client, places, before)
    for done in (install(client, places), uninstall(client, places)):
        assert done.state is State.FAILED
        assert str(file) in done.problem and "line " in done.problem
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_strict_json_with_a_comment_is_refused_where_its_client_would_refuse_it(
    tmp_path: Path,
) -> None:
    places = places_below(tmp_path)
    strict = [client for client in CLIENTS if client.form == STRICT_JSON]
    assert {client.name for client in strict} == {"claude-desktop", "claude-code"}
    written_file(strict[0], places, b'{\n  "a": 1, // one\n  "b": 2\n}\n')
    assert "line 2, column 11" in install(strict[0], places).problem


def test_what_others_have_changed_since_stays_when_the_entry_goes(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    file = written_file(client, places, b'{\n  "a": 1\n}\n')
    install(client, places)
    changed = file.read_text().replace('"a": 1', '"a": 2, "b": 3')
    file.write_text(changed)
    done = uninstall(client, places)
    # The backup shows that there was no `mcpServers` either.
    assert file.read_text() == '{\n  "a": 2, "b": 3\n}\n'
    assert done.backup is not None and done.backup.read_text() == changed


def test_an_entry_that_somebody_else_wrote_goes_alone(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    file = written_file(client, places, b'{"mcpServers": {"llama-mcp": {"command": "x"}}}')
    assert uninstall(client, places).state is State.REMOVED
    assert file.read_text() == '{"mcpServers": {}}'


def test_another_entry_of_the_name_is_shown_and_replaced_only_if_asked(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["vscode"]
    ours, others = b'    "llama-mcp": {"command": "/old"},\n', b'    "x": {"env": {"KEY": "s"}}\n'
    before = b'{\n  "servers": {\n' + ours + others + b"  }\n}\n"
    file = written_file(client, places, before)
    done = install(client, places)
    assert done.state is State.DIFFERENT and file.read_bytes() == before
    shown = "\n".join(done.change)
    assert '-{"command": "/old"}' in shown and f'+      "command": "{ENTRY.command}"' in shown
    assert "KEY" not in shown
    assert install(client, places, is_replacement=True).state is State.REPLACED
    assert entries_in(client, file)["llama-mcp"] == client.written(ENTRY)
    assert others in file.read_bytes()


def test_a_secret_of_the_entry_that_would_go_is_not_shown(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    before = b'{"mcpServers": {"llama-mcp": {"command": "/old", "env": {"HF_TOKEN": "hf_123"}}}}'
    written_file(client, places, before)
    shown = "\n".join(install(client, places).change)
    assert "/old" in shown and "HF_TOKEN" in shown and "hf_123" not in shown


def test_a_dry_run_shows_the_entry_and_nothing_of_others(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    before = b'{"mcpServers": {"x": {"env": {"API_KEY": "secret"}}}}'
    file = written_file(client, places, before)
    done = install(client, places, is_dry_run=True)
    assert done.state is State.WOULD_CHANGE
    assert done.change[0] == "@@ line 1 @@" and ENTRY.command in done.change[1]
    assert "secret" not in "".join(done.lines()) and file.read_bytes() == before
    assert not backups_of(file)


def test_a_twin_under_another_name_is_told(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["opencode"]
    file = b'{"mcp": {"local": {"type": "local", "command": ["uvx", "llama-mcp"]}}}'
    written_file(client, places, file)
    done = install(client, places)
    assert done.state is State.ADDED
    assert "`local` in the same file starts llama-mcp too" in done.notes[0]


def test_nothing_is_written_when_llama_mcp_does_not_work_as_it_is_started_there(
    tmp_path: Path,
) -> None:
    places, client = places_below(tmp_path), BY_NAME["codex"]
    file = written_file(client, places, b"a = 1\n")
    done = install(client, places, False)
    assert done.state is State.NOT_PROVED and "It ended at once. Look at" in done.problem
    assert file.read_bytes() == b"a = 1\n" and not backups_of(file)


@pytest.mark.parametrize("before", [b"a = 1\n", None], ids=["a file", "no file"])
def test_what_was_there_is_put_back_when_the_written_entry_does_not_work(
    tmp_path: Path, before: bytes | None
) -> None:
    places, client = places_below(tmp_path), BY_NAME["codex"]
    file = file_of(client, places, is_project=False)
    if before is not None:
        written_file(client, places, before)
    done = install(client, places, True, False)
    assert done.state is State.NOT_PROVED and "put back" in done.problem
    assert (file.read_bytes() if file.exists() else None) == before
    assert not backups_of(file)


def test_the_entry_is_proved_as_the_client_starts_it_before_and_after(tmp_path: Path) -> None:
    places = places_below(tmp_path)
    for client in CLIENTS:
        proofs = KnownProofs()
        set_up(client, Wish(ENTRY), places, proofs)
        (before, is_quick_before), (after, is_quick_after) = proofs.launches
        assert before == after and (is_quick_before, is_quick_after) == (False, True)
        assert before.argv == (ENTRY.command,) and before.env == ENTRY.env
        assert before.first_answer_seconds >= 3
        assert before.era == ("2026-07-28" if client.name in MODERN_CLIENTS else "initialize")


MODERN_CLIENTS = {"claude-code", "copilot"}


def test_backups_do_not_pile_up_and_the_first_state_is_kept(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    before = b'{"mcpServers": {"x": {}}}\n'
    file = written_file(client, places, before)
    for number in range(5):
        entry = Entry(ENTRY.command, env={"LLAMA_MCP_PORT": str(number)})
        wish = Wish(entry, is_replacement=True)
        assert not set_up(client, wish, places, KnownProofs()).state.is_fault
    kept = backups_of(file)
    assert len(kept) == 2 and kept[1].read_bytes() == before
    uninstall(client, places)
    assert file.read_bytes() == before and not backups_of(file)


def test_a_client_is_installed_when_its_folder_or_its_command_is_there(tmp_path: Path) -> None:
    places = places_below(tmp_path)
    assert installed_clients(places) == []
    (places.home / ".cursor").mkdir()
    programs = tmp_path / "programs"
    programs.mkdir()
    goose = programs / ("goose.exe" if sys.platform == "win32" else "goose")
    goose.write_text("#!/bin/sh\n")
    goose.chmod(0o755)
    assert [client.name for client in installed_clients(places)] == ["cursor", "goose"]


def test_the_file_that_is_there_is_taken_before_one_that_is_not(tmp_path: Path) -> None:
    places = places_below(tmp_path)
    opencode = places.home / ".config" / "opencode"
    opencode.mkdir(parents=True)
    (opencode / "opencode.jsonc").write_text("{}")
    assert file_of(BY_NAME["opencode"], places, is_project=False).name == "opencode.jsonc"
    (places.home / ".cline").mkdir()
    assert ".cline" in file_of(BY_NAME["cline"], places, is_project=False).parts


def test_a_file_that_its_client_writes_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """A program writes the file in place, in two halves, as a careless client does."""
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    file = written_file(client, places, b'{"n": 0}')
    writer = textwrap.dedent("""
        import json, sys, time
        path = sys.argv[1]
        for n in range(1, 40):
            held = json.load(open(path)) | {"n": n}
            text = json.dumps(held)
            with open(path, "w") as file:
                file.write(text[:5]); file.flush(); time.sleep(0.01); file.write(text[5:])
            time.sleep(0.01)
        print("done")
    """)
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        done = install(client, places)
        assert process.stdout is not None and process.stdout.read().strip() in ("done", "")
    assert done.state is State.ADDED or "Close the client" in done.problem, done.problem
    held = json.loads(file.read_text())
    assert held["n"] > 0


def replaced_meanwhile(file: Path) -> Callable[..., object]:
    """Return a proof during which another program writes the file."""
    known = KnownProofs()

    def prove(title: str, launch: object, *, is_quick: bool) -> object:
        if not is_quick:
            file.write_bytes(b'{"mcpServers": {"new": {"command": "y"}}}')
        return known(title, launch, is_quick=is_quick)  # type: ignore[arg-type]  # passed on

    return prove


def test_what_was_written_during_the_proof_is_kept(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    file = written_file(client, places, b'{"mcpServers": {}}')
    prove = replaced_meanwhile(file)
    assert set_up(client, Wish(ENTRY), places, prove).state is State.ADDED  # type: ignore[arg-type]
    assert set(entries_in(client, file)) == {"new", "llama-mcp"}


def test_a_huge_file_is_changed_as_any_other(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["claude-code"]
    projects = {f"/p/{n}": {"history": ["said " * 40] * 20} for n in range(2000)}
    before = json.dumps({"projects": projects, "mcpServers": {}}, indent=2).encode()
    assert len(before) > 8_000_000
    file = written_file(client, places, before)
    assert install(client, places).state is State.ADDED
    assert uninstall(client, places).state is State.REMOVED
    assert file.read_bytes() == before


@pytest.mark.posix
def test_a_link_is_followed_and_stays_and_the_mode_stays(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["codex"]
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    target = dotfiles / "codex.toml"
    target.write_bytes(b"a = 1\n")
    target.chmod(0o640)
    link = places.home / ".codex" / "config.toml"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(target, link.parent))
    done = install(client, places)
    assert done.state is State.ADDED and done.backup is not None
    assert done.backup.parent == dotfiles
    assert link.is_symlink() and NAME in target.read_text()
    assert {path.stat().st_mode & 0o777 for path in (target, done.backup)} == {0o640}
    uninstall(client, places)
    assert target.read_bytes() == b"a = 1\n" and list(dotfiles.iterdir()) == [target]


@pytest.mark.posix
def test_a_read_only_file_stays_as_it_is(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["codex"]
    file = written_file(client, places, b"a = 1\n")
    file.chmod(0o444)
    done = install(client, places)
    assert done.state is State.FAILED and f"{file} is read-only" in done.problem
    assert file.read_bytes() == b"a = 1\n" and list(file.parent.iterdir()) == [file]


@pytest.mark.posix
def test_a_new_file_is_the_users_alone_and_a_projects_is_shared(tmp_path: Path) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    own, shared = install(client, places).file, install(client, places, is_project=True).file
    assert own is not None and shared is not None
    assert own.stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"a": "\xff"}', "is no UTF-8: line 1, column 8"),
        ('{"a": 1}'.encode("utf-16"), "is UTF-16"),
    ],
)
def test_an_encoding_that_its_client_does_not_read_is_told(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    file = written_file(client, places, content)
    assert problem in install(client, places).problem
    assert file.read_bytes() == content


@pytest.mark.posix
def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    if sys.platform == "win32":
        return
    places, client = places_below(tmp_path), BY_NAME["cursor"]
    folder = places.home / ".cursor"
    folder.mkdir()
    os.mkfifo(folder / "mcp.json")
    assert "it is no ordinary file" in install(client, places).problem
