"""What is known of a client: where its files are, the form of its entry, how it starts us."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llama_mcp.cli.install.forms.editing import Form, Spot
from llama_mcp.cli.install.forms.json_text import JsonText
from llama_mcp.cli.install.known.entry import NAME, Entry, EntryForm
from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.proof.launch import PASSES_ALL, PASSES_LIKE_DESKTOP, Era, Launch, Passes

STRICT_JSON = JsonText(has_comments=False, has_trailing_commas=False)
JSON_WITH_COMMENTS = JsonText()
# What the older era asks for, in the clients that were run here.
LEGACY = "2025-06-18"
MODERN: Era = "2026-07-28"
# The MCP SDKs wait so long for an answer unless told otherwise.
SDK_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """How a client starts servers; docs/clients.md says what was seen and what is only read.

    Attributes:
        passes: Which of its variables a server gets.
        protocol_version: What it asks for; it tells the era too.
        first_answer_seconds: How long it waits for the first answer.
        is_in_current_folder: Whether a server starts where the client was started, else in `/`.
    """

    passes: Passes = PASSES_ALL
    protocol_version: str = LEGACY
    first_answer_seconds: float = SDK_START_SECONDS
    is_in_current_folder: bool = True

    def launch(self, entry: Entry, current: Path) -> Launch:
        """Return how the client launches an entry."""
        is_modern = self.protocol_version == MODERN
        return Launch(
            argv=entry.argv,
            env=entry.env,
            passes=self.passes,
            era=MODERN if is_modern else "initialize",
            protocol_version=self.protocol_version,
            first_answer_seconds=self.first_answer_seconds,
            cwd=str(current) if self.is_in_current_folder else current.anchor,
        )


# An application with windows, of which nothing else is known.
DESKTOP = Start(passes=PASSES_LIKE_DESKTOP, is_in_current_folder=False)
# An editor that asks a shell for the user's variables, as VS Code and those made of it do.
EDITOR = Start(is_in_current_folder=False)


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A program of the client that changes its configuration, if it is on PATH.

    Attributes:
        program: Its name.
        add: What it takes to add an entry, after its name, with the entry as JSON at the end.
        remove: What it takes to remove the entry.
    """

    program: str
    add: tuple[str, ...]
    remove: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client.

    Attributes:
        name: What the command line calls it.
        title: What its makers call it.
        user_files: Where the user's configuration can be; the first is made if none is there.
        project_files: Where a project's can be, below its folder; none if it has none.
        keys: What leads to the entries.
        form: How the files are written.
        entry_form: How an entry is written.
        start: How it starts servers.
        folders: Folders by which it shows that it is installed.
        programs: Programs on PATH that show the same.
        to_do: What is left to do by hand once the entry is there.
        to_do_in_project: What else, if the entry is a project's.
        own_command: Its program that changes its configuration without harm.
        is_list: Whether its entries are a list.
        beginning: What a new file needs besides.
        link: From an entry to the link that adds it.
    """

    name: str
    title: str
    user_files: Callable[[Places], Sequence[Path]]
    project_files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("mcpServers",)
    form: Form = JSON_WITH_COMMENTS
    entry_form: EntryForm = field(default_factory=EntryForm)
    start: Start = DESKTOP
    folders: Callable[[Places], Sequence[Path]]
    programs: tuple[str, ...] = ()
    to_do: str = ""
    to_do_in_project: str = ""
    own_command: OwnCommand | None = None
    is_list: bool = False
    beginning: str = ""
    link: Callable[[Mapping[str, object]], str] | None = None

    @property
    def spot(self) -> Spot:
        """Where our entry belongs in a file."""
        return Spot(self.keys, NAME, is_list=self.is_list, beginning=self.beginning)

    def files(self, places: Places, *, is_project: bool) -> list[Path]:
        """Return where its configuration can be."""
        if is_project:
            return [places.current / file for file in self.project_files]
        return list(self.user_files(places))

    def written(self, entry: Entry) -> dict[str, object]:
        """Return the entry as it stands in a file of this client."""
        return self.entry_form.written(entry)
