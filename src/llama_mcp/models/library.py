"""Which models there are on this machine, and which one a file is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from llama_mcp.errors import InvalidArgumentError, LlamaMCPError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.model import Model
from llama_mcp.models.named_models import NamedModels, named_in
from llama_mcp.models.places import huggingface
from llama_mcp.models.places.all_places import find_all
from llama_mcp.models.places.folders import gguf_files, plain_name
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings, surroundings_of
from llama_mcp.models.rows.files import look_at, read_headers
from llama_mcp.models.rows.making import NoModel, Row, rows_of
from llama_mcp.models.shards import shard_of
from llama_mcp.paths import absolute_path, expand_path
from llama_mcp.settings import DownloadSettings, LlamaServerSettings, inherited_environment

MAX_FILES = 5000
# Files that a projector is looked for among; a start by path should not read a whole disk.
MAX_BESIDE = 500
_CACHE_FILE = "model-facts.json"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found.

    Attributes:
        rows: The models, the operator's first.
        others: What else the headers of files say that they are.
    """

    rows: Sequence[Row]
    others: Sequence[NoModel]

    @property
    def models(self) -> list[Model]:
        """The models, the operator's first."""
        return [row.model for row in self.rows]


class Library:
    """The models in the operator's folders and in those of other programs, which are only read.

    Every method looks at folders, and one on a network may take long: call it in a thread.

    Args:
        settings: The operator's.
        facts: What is known of headers.
        surroundings: Where other programs keep their files; those of this process by default.
    """

    def __init__(
        self,
        settings: LlamaServerSettings,
        facts: KnownFacts,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.settings = settings
        self._facts = facts
        self._surroundings = surroundings or surroundings_of(inherited_environment())

    @property
    def can_fetch(self) -> bool:
        """Whether the operator lets models be downloaded."""
        # A start can be given the settings of llama-servers alone, which do not say it.
        return not isinstance(self.settings, DownloadSettings) or self.settings.downloads

    @property
    def named_models(self) -> NamedModels:
        """The models that the operator has named."""
        return named_in(self.settings.models)

    def models(self) -> list[Model]:
        """Return every model once, those outside the allowed folders left out."""
        return self.survey().models

    def survey(self) -> Survey:
        """Return the models, and what is a part of one or made for one."""
        found = find_all(
            self.settings.model_dirs,
            self.default_file(),
            self.settings.model_places,
            self._surroundings,
        )
        return self._survey(islice(found, MAX_FILES))

    def at(self, path: Path) -> Survey:
        """Return what one file is: a survey of no more than it and what its projector lies with."""
        whole = self._survey(islice(_beside(path), MAX_BESIDE))
        return Survey(
            [row for row in whole.rows if row.model.path == path],
            [other for other in whole.others if other.path == path],
        )

    def facts_of(self, path: Path) -> ModelFacts:
        """Return what the header of a file says.

        Raises:
            HeaderUnreadableError: it cannot be read.
        """
        return self._facts.of(path)

    def default_file(self) -> Path | None:
        """Return the file of the operator's default; None when there is none, or it is a name."""
        try:
            path = expand_path("model_path", self.settings.model_path or "")
        except InvalidArgumentError:
            return None
        return absolute_path(path) if path.is_file() else None

    def _survey(self, found: Iterator[Found]) -> Survey:
        files = look_at(found, self.settings.allowed_paths)
        read_headers(files, self._facts)
        self._facts.save()
        return Survey(*rows_of(files))


def library_of(settings: LlamaServerSettings, environment: Mapping[str, str]) -> Library:
    """Return the library of this process; what is known of headers is kept with its records."""
    try:
        cache_file = settings.state_dir / _CACHE_FILE
    except LlamaMCPError:  # there is no folder for records: nothing is kept
        cache_file = None
    return Library(settings, _facts_in(cache_file), surroundings_of(environment))


@cache
def _facts_in(cache_file: Path | None) -> KnownFacts:
    return KnownFacts(cache_file)


def _beside(path: Path) -> Iterator[Found]:
    """Give a file, the others of its model, and then what its projector may be among."""
    snapshot = next(filter(huggingface.is_snapshot, path.parents), None)
    group = snapshot or path.parent
    yield Found(path, str(path), "path", group, is_own_name=True)
    whole = _whole(path)
    files = gguf_files(group) if snapshot else gguf_files(group, depth=0)
    for each in sorted(files, key=lambda file: _whole(file) != whole):
        yield Found(each, plain_name(each.relative_to(group)), "path", group)


def _whole(path: Path) -> object:
    shard = shard_of(path)
    return shard.whole if shard else path
