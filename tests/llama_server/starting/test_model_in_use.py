"""What follows from a model for its start: its name, its projector, and what is told of it."""

from pathlib import Path
from typing import Any

from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.starting.model_in_use import ModelInUse, model_in_use
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import ModelFacts
from llama_mcp.models.model import Model
from llama_mcp.settings import Settings

PLAIN = "-m, --model FNAME\n--port N\n"
NEW = Capabilities("new", parse_help(PLAIN + "-mm, --mmproj FILE          a projector\n"))
OLD = Capabilities("old", parse_help(PLAIN))
CHAT = ModelFacts("model", "chat", "llama", context_length=8192, sampling={"temp": 0.6})
SEEING = ModelFacts("projector", "base", "clip", vision=True, audio=True)
BESIDE, OTHER = Path("/m/mmproj.gguf"), Path("/x/other.gguf")


def facts_of(path: Path) -> ModelFacts:
    if path == OTHER:
        raise HeaderUnreadableError(str(path), "it is empty")
    return SEEING


def use_of(
    *extra_args: str,
    capabilities: Capabilities = NEW,
    allowed: tuple[Path, ...] = (),
    **changes: Any,
) -> ModelInUse:
    values: dict[str, Any] = {
        "name": "m",
        "path": Path("/m/m.gguf"),
        "size_bytes": 1,
        "source": "model_dirs",
        "facts": CHAT,
        "projector": BESIDE,
    }
    model = Model(**values | changes)
    config = LaunchConfig.of(Settings(), LaunchArguments(extra_args=extra_args))
    return model_in_use(model, config, capabilities, allowed, facts_of)


def senses(use: ModelInUse) -> tuple[bool | None, bool | None]:
    assert use.about is not None
    return use.about.vision, use.about.audio


def test_a_start_tells_what_the_headers_of_the_model_and_of_its_projector_say() -> None:
    use = use_of()
    assert use.flags.arguments == ["--mmproj", str(BESIDE)] and senses(use) == (True, True)
    assert use.about is not None and use.about.kind == "chat"
    assert use.about.context_length == 8192 and use.about.sampling == {"temp": 0.6}


def test_nothing_is_seen_without_a_projector_or_with_one_that_is_not_passed(
    tmp_path: Path,
) -> None:
    for use in (
        use_of(projector=None),
        use_of("--no-mmproj"),
        use_of(allowed=(tmp_path,)),
        use_of(capabilities=OLD),
    ):
        assert use.flags.arguments == [] and senses(use) == (None, None)


def test_the_callers_projector_is_asked_what_it_can_and_one_that_cannot_say_nothing() -> None:
    assert senses(use_of("--mmproj", str(BESIDE), projector=None)) == (True, True)
    assert senses(use_of("-mm", str(OTHER))) == (None, None)


def test_nothing_follows_from_a_header_that_cannot_be_read() -> None:
    use = use_of(facts=None, projector=None)
    assert use.about is None and use.flags.arguments == [] and use.flags.notes == []


def test_a_model_is_called_as_its_file_and_a_blob_as_its_program_calls_it() -> None:
    assert use_of().alias == "m"
    blob = Path("/o/blobs/sha256-4f2a")
    assert use_of(source="ollama", path=blob, name="llama3.2:1b").alias == "llama3.2:1b"
    assert use_of(source="ollama", path=blob, name="hf.co/u/r:Q4").alias == "r:Q4"


def test_a_model_that_the_operator_has_named_is_called_so() -> None:
    model = Model("m", Path("/m/m.gguf"), 1, "models_file", CHAT)
    config = LaunchConfig.of(Settings(), LaunchArguments())
    assert model_in_use(model, config, NEW, (), facts_of).alias == "m"
    assert model_in_use(model, config, NEW, (), facts_of, "My coder").alias == "My coder"
