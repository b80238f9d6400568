"""What a start passes for the sake of its model, without running anything."""

from typing import Any

import pytest

from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help
from llama_mcp.llama_server.engine.command_line import (
    LaunchConfig,
    build_command_line,
    differences,
)
from llama_mcp.llama_server.engine.model_flags import flags_for_model
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.facts import Kind, ModelFacts
from llama_mcp.settings import Settings

PLAIN = (
    "-m, --model FNAME\n--port N\n-b, --batch-size N   logical\n-ub, --ubatch-size N   physical\n"
)
NEW = Capabilities(
    "new",
    parse_help(
        PLAIN
        + "-mm, --mmproj FILE                      a projector\n"
        + "--mmproj-auto, --no-mmproj, --no-mmproj-auto   whether\n"
        + "--embedding, --embeddings               only embeddings\n"
        + "--rerank, --reranking                   only ranks\n"
        + "--chat-template TEMPLATE                a template\n"
    ),
)
OLD = Capabilities("old", parse_help(PLAIN + "--embeddings       only embeddings\n"))
PROJECTOR = "/m/mmproj.gguf"


def config(*extra_args: str, ctx_size: int = 4096) -> LaunchConfig:
    asked = LaunchArguments(extra_args=extra_args, ctx_size=ctx_size)
    return LaunchConfig.of(Settings(model_path="/m/x.gguf"), asked)


def model(kind: Kind, **facts: Any) -> ModelFacts:
    return ModelFacts("model", kind, "llama", **facts)


def flags(facts: ModelFacts, *extra_args: str, projector: str | None = None) -> list[str]:
    return flags_for_model(facts, projector, config(*extra_args), NEW).arguments


def test_a_projector_is_passed_unless_the_caller_has_chosen_one_or_none() -> None:
    chat = model("chat")
    assert flags(chat, projector=PROJECTOR) == ["--mmproj", PROJECTOR]
    assert flags(chat) == []


@pytest.mark.parametrize("kind", ["chat", "base"])
def test_a_model_that_chats_needs_no_flag(kind: Kind) -> None:
    assert flags(model(kind, context_length=131072)) == []


def test_a_build_that_cannot_take_a_projector_is_told_of() -> None:
    made = flags_for_model(model("chat"), PROJECTOR, config(), OLD)
    assert made.arguments == [] and "no --mmproj" in made.notes[0]


@pytest.mark.parametrize(
    ("kind", "flag"), [("embedding", "--embedding"), ("rerank", "--reranking")]
)
def test_what_makes_vectors_or_ranks_gets_its_flag_and_a_batch_as_large_as_its_window(
    kind: Kind, flag: str
) -> None:
    batches = ["--batch-size", "2048", "--ubatch-size", "2048"]
    assert flags(model(kind, context_length=2048)) == [flag, *batches]
    # No input is longer than the window of a conversation, whatever the model was trained for.
    assert flags(model(kind, context_length=32768))[-1] == "4096"
    assert flags(model(kind))[-1] == "4096"


def test_the_flag_is_called_as_the_build_calls_it() -> None:
    made = flags_for_model(model("embedding", context_length=512), None, config(), OLD)
    assert made.arguments[0] == "--embeddings"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("--embedding",), ["--batch-size", "512", "--ubatch-size", "512"]),
        (("--embeddings",), ["--batch-size", "512", "--ubatch-size", "512"]),
        (("-ub", "64"), ["--embedding", "--batch-size", "512"]),
        (("--ubatch_size", "64", "-b", "64"), ["--embedding"]),
        (("--pooling", "cls"), ["--embedding", "--batch-size", "512", "--ubatch-size", "512"]),
    ],
)
def test_what_the_caller_passes_is_not_passed_again(
    given: tuple[str, ...], left: list[str]
) -> None:
    assert flags(model("embedding", context_length=512), *given) == left


def test_a_caller_is_told_of_a_model_that_does_not_converse() -> None:
    told = {
        kind: flags_for_model(model(kind), None, config(), NEW).notes
        for kind in ("chat", "base", "embedding", "rerank")
    }
    assert told["chat"] == []
    assert "base model" in told["base"][0] and "ChatML" in told["base"][0]
    assert "cannot chat" in told["embedding"][0] and "/v1/embeddings" in told["embedding"][0]
    assert "cannot chat" in told["rerank"][0] and "/v1/rerank" in told["rerank"][0]
    # Whoever gives it a template knows that it has none.
    given = config("--chat-template", "chatml")
    assert flags_for_model(model("base"), None, given, NEW).notes == []


def test_what_follows_from_the_model_stands_before_the_callers_flags_and_is_no_other_start() -> (
    None
):
    asked = config("-t", "1")
    command = build_command_line(
        asked, NEW, model="/m/x.gguf", alias="x", port=1, for_model=["--embedding"]
    )
    assert command.arguments[-3:] == ["--embedding", "-t", "1"]
    assert differences(asked, asked) == []
