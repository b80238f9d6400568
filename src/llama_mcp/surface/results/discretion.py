"""What callers are not told who may not see the machine: paths, processes, addresses, log lines.

Who has the scope admin is told all. Replies, messages and texts of files are nobody's business
here: what is looked through are our own words.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from llama_mcp.callers import Caller, Scope
from llama_mcp.errors import EVIDENCE_HEADING, LlamaMCPError, Words, WrongSettingsError
from llama_mcp.home_folders import home_of_user
from llama_mcp.llama_server.status import AboutModel, ServerConfig, ServerStatus
from llama_mcp.models.download.download import Download
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.models.rows.names import shown_name
from llama_mcp.observing.model_list import ModelDetails, ModelList, ModelRow
from llama_mcp.observing.snapshot import Snapshot
from llama_mcp.services import Services
from llama_mcp.sessions.records import ArchivedTurn
from llama_mcp.settings import Settings
from llama_mcp.surface.calling import current_caller
from llama_mcp.turns.replies.reply import ChatReply

# A path of any system in a text of ours; not a share such as tokens/s, nor a part of an address.
_PATH = re.compile(
    r"""(?<![\w/\\….])(?!//)(?:…|~|[A-Za-z]:)?[/\\]   # where it begins
        [^\s"'`,;:()<>\[\]{}|]*[^\s"'`,;:()<>\[\]{}|.]
    """,
    re.VERBOSE,
)
# How texts of ours tell of processes, addresses, other machines and the end of a log.
_OF_MACHINE = (
    (re.compile(r" at https?://\S+(?= \(|\.(?: |$)| |$)"), ""),
    (re.compile(r" Last log line: .*", re.DOTALL), ""),
    (re.compile(r"^(Loading .*?: [\d.]+ s\.).*", re.DOTALL), r"\1"),
    (re.compile(r" \((?:pid|host) [^)]*\)"), ""),
    (re.compile(r",? \bpid \d+"), ""),
    (re.compile(r"(\bprocess) \d+"), r"\1"),
    (re.compile(r" on port \d+"), ""),
    (re.compile(r"(\bworkers?) \S+:\d+(?:(?:,| and) \S+:\d+)*"), r"\1"),
    # Of engines elsewhere: remote/errors.py, finding_out.py, wire/failures.py and telling.py.
    (re.compile(r"\b(?:GET|POST) https?://\S+ was tried, and "), ""),
    (re.compile(r"https?://\S+ (lists no models|gives no JSON)"), r"it \1"),
    (re.compile(r"(\bit redirects) to \S+(?=, which is not followed)"), r"\1"),
    (re.compile(r"(\bits host name) \S+(?= is not known)"), r"\1"),
    (re.compile(r"(\bleave this machine), for \S+(?=\.(?: |$))"), r"\1"),
    (re.compile(r"(\bThey go) to \S+(?= unencrypted \(http\))"), r"\1"),
    # An RPC worker's address wherever it stands.
    (
        re.compile(
            r"(?<![\w:/.-])(?:\d+(?:\.\d+){3}:\d+|\[[\da-fA-F:]+\]:\d+|[A-Za-z][\w.-]*:\d{3,5})"
            r"(?!\w|[.:]\w)"
        ),
        "…",
    ),
)

_SETTING = "LLAMA_MCP_"
# Where its file is wrong, a list of models tells what stands in it.
_MODELS_FILE = "LLAMA_MCP_MODELS names"
Row = TypeVar("Row", bound=ModelRow)


class ConfigByName(BaseModel, frozen=True):
    """A ServerConfig for who may name models only."""

    running: bool
    model_path: str | None = None
    """The model's name."""
    ctx_size: int
    parallel: int
    n_gpu_layers: int | None = None
    about_model: AboutModel | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Discretion:
    """What one caller is told of the machine."""

    sees_machine: bool
    hidden: Sequence[str] = ()
    """Folders of the machine, which may have blanks in their names."""
    own: Sequence[str] = ()
    """Folders of the caller, of which it may be told."""

    @classmethod
    def towards(cls, caller: Caller, settings: Settings) -> "Discretion":
        """Return what a caller is told."""
        if caller.may(Scope.ADMIN):
            return cls(sees_machine=True)
        own = [*(caller.file_dirs or ()), *(caller.save_dirs or ())]
        return cls(False, _folders_of(settings), sorted({str(each) for each in own}))

    def text(self, text: str) -> str:
        """Return a text of ours without what is hidden; of a path its last part is left."""
        if self.sees_machine:
            return text
        text = text.partition(EVIDENCE_HEADING)[0]
        for folder in self.hidden:
            text = re.sub(rf"{re.escape(folder)}(?![\w-]|\.\w)", self._hidden_folder, text)
        for pattern, instead in _OF_MACHINE:
            text = pattern.sub(instead, text)
        return _PATH.sub(self._last_part, text)

    def error(self, error: LlamaMCPError, words: Words) -> str:
        """Return the text of an error without what is hidden."""
        return error.told(words) if self.sees_machine else self.text(error.told_discreetly(words))

    def texts(self, texts: Iterable[str]) -> list[str]:
        """Return texts of ours without what is hidden."""
        return [self.text(each) for each in texts]

    def status(self, status: ServerStatus) -> ServerStatus:
        """Return a status without what is hidden."""
        if self.sees_machine:
            return status
        ended, engine = status.last_exit, status.engine
        told = {"cause": self.text(ended.cause), "advice": self.text(ended.advice)} if ended else {}
        return status.model_copy(
            update={
                **dict.fromkeys(("model_path", "url", "port", "pid", "workers")),
                "message": self.text(status.message),
                "engine": engine and engine.model_copy(update={"path": ""}),
                "last_exit": ended and ended.model_copy(update={**told, "log_tail": []}),
                "models": status.models
                and [each.model_copy(update={"port": None}) for each in status.models],
                "notes": status.notes and self.texts(status.notes),
            }
        )

    def snapshot(self, seen: Snapshot) -> Snapshot:
        """Return a look without what is hidden."""
        if self.sees_machine:
            return seen
        return seen.model_copy(
            update={
                "status": self.status(seen.status),
                "turns": [turn.model_copy(update={"pid": None}) for turn in seen.turns],
                "problems": self.texts(seen.problems),
            }
        )

    def config(self, config: ServerConfig) -> ServerConfig | ConfigByName:
        """Return settings without what is hidden."""
        if self.sees_machine:
            return config
        name = config.model_path and shown_name(_last(config.model_path))
        return ConfigByName(
            running=config.running,
            model_path=name,
            ctx_size=config.ctx_size,
            parallel=config.parallel,
            n_gpu_layers=config.n_gpu_layers,
            about_model=config.about_model,
            # What is wrong with settings is told with their values.
            notes=tuple(self.texts(note for note in config.notes if _SETTING not in note)),
        )

    def models(self, models: ModelList) -> ModelList:
        """Return a list without what is hidden: a model that only its path names is left out."""
        if self.sees_machine:
            return models
        rows = tuple(self._row(row) for row in models.models if not os.path.isabs(row.model))
        is_of_file = models.note is not None and _MODELS_FILE in models.note
        note = ModelsFileError.discreet if is_of_file else models.note and self.text(models.note)
        total = models.total - len(models.models) + len(rows)
        return models.model_copy(update={"models": rows, "note": note, "total": total})

    def details(self, details: ModelDetails) -> ModelDetails:
        """Return a model without what is hidden."""
        if self.sees_machine:
            return details
        hidden = dict.fromkeys(("path", "projector", "url", "models_file", "entry"))
        return self._row(details).model_copy(update=hidden)

    def download(self, download: Download) -> Download:
        """Return a download without what is hidden."""
        if self.sees_machine:
            return download
        name = download.model_path and shown_name(Path(_last(download.model_path)).stem)
        update = {"model_path": name, "notes": self.texts(download.notes)}
        return download.model_copy(update=update)

    def reply(self, reply: ChatReply) -> ChatReply:
        """Return a reply without what is hidden in its notes."""
        if self.sees_machine:
            return reply
        return reply.model_copy(update={"notes": self.texts(reply.notes)})

    def turns(self, turns: Iterable[ArchivedTurn]) -> tuple[ArchivedTurn, ...]:
        """Return archived turns without what is hidden in notes and errors."""
        if self.sees_machine:
            return tuple(turns)
        return tuple(
            turn.model_copy(
                update={
                    "notes": tuple(self.texts(turn.notes)),
                    "error": turn.error and self.text(turn.error),
                }
            )
            for turn in turns
        )

    def _row(self, row: Row) -> Row:
        return row.model_copy(update={"problem": row.problem and self.text(row.problem)})

    def _hidden_folder(self, found: "re.Match[str]") -> str:
        return found[0] if self._is_own(found.string[found.start() :]) else "…"

    def _last_part(self, found: "re.Match[str]") -> str:
        return found[0] if self._is_own(found[0]) else f"…/{_last(found[0])}"

    def _is_own(self, path: str) -> bool:
        """Tell whether what a text begins with lies in a folder of the caller."""
        begun = (path[len(each) :] for each in self.own if path.startswith(each))
        return any(not re.match(r"[\w-]|\.\w", rest) for rest in begun)


def discretion_of(services: Services) -> Discretion:
    """Return what the caller of this request is told."""
    return Discretion.towards(current_caller(), services.settings)


def _last(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _folders_of(settings: Settings) -> list[str]:
    """Return the folders of the machine that our texts may name, the longest first."""
    folders: list[object] = [home_of_user(), sys.prefix, settings.llama_cpp_path]
    folders += [*settings.model_dirs, *settings.allowed_paths]
    with suppress(WrongSettingsError):
        folders += [settings.state_dir, settings.archive_path.parent]
    found = {str(folder).rstrip("/\\") for folder in folders if folder is not None}
    return sorted(filter(os.path.isabs, found), key=len, reverse=True)
