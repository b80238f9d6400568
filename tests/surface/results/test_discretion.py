"""What a text of ours is told as to who may not see the machine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL, Caller
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.elsewhere.telling import notes_on_url
from llama_mcp.llama_server.model_errors import RunByOthersError
from llama_mcp.llama_server.remote.errors import RemoteRefusedError, RemoteUnreachableError
from llama_mcp.llama_server.status import ServerConfig
from llama_mcp.llama_server.worker_errors import (
    WorkerSilentError,
    WorkersInDoubtError,
    WorkersMissingError,
    WorkersRefusedError,
)
from llama_mcp.models.errors import ModelsFileError
from llama_mcp.observing.model_list import ModelDetails, ModelList, ModelRow
from llama_mcp.settings import Settings
from llama_mcp.surface.failures import TOOL_WORDS
from llama_mcp.surface.results.discretion import ConfigByName, Discretion

ANN = Caller("ann", file_dirs=(Path("/srv/team/ann"),), save_dirs=())
MODELS = "/srv/big disk/models"
TOLD = Discretion(sees_machine=False, hidden=[MODELS, "/srv"], own=["/srv/team/ann"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no file /etc/passwd.", "no file …/passwd."),
        ("(/usr/bin/x, /usr/lib)", "(…/x, …/lib)"),
        (f"it lies in {MODELS}/a/b.gguf", "it lies in …/b.gguf"),
        (f"in {MODELS}: none", "in …: none"),
        ("C:\\Users\\me\\x.gguf is gone", "…/x.gguf is gone"),
        ("\\\\nas\\share\\x.gguf", "…/x.gguf"),
        ("~/x/y.toml", "…/y.toml"),
        ("model_path=/srv/x.gguf", "model_path=…/x.gguf"),
        ("/srv/team/ann/notes.md is yours", "/srv/team/ann/notes.md is yours"),
        ("/srv/team/anna/notes.md is not", "…/notes.md is not"),
        (f"in {MODELS}.", "in …."),
        ("12 tokens/s and/or llama://server/log", "12 tokens/s and/or llama://server/log"),
        ("see https://example.com/a/b", "see https://example.com/a/b"),
        ("x is ready at http://127.0.0.1:8080 (4096 tokens).", "x is ready (4096 tokens)."),
        ("x has been loading for 3 s. Last log line: /a: b", "x has been loading for 3 s."),
        ("Loading x: 3.1 s. load_tensors: a line of the log", "Loading x: 3.1 s."),
        ("The process of x (pid 71) lives.", "The process of x lives."),
        ("llama-mcp process 71, which", "llama-mcp process, which"),
        ("runs elsewhere (host box, in another container): x on port 80.", "runs elsewhere: x."),
        ("it ended\nFrom its log:\n  secret", "it ended"),
    ],
)
def test_of_a_path_the_last_part_is_left_and_of_processes_nothing(text: str, told: str) -> None:
    assert TOLD.text(text) == told


@given(st.text("ab /\\.…~:C", max_size=40))
def test_what_is_told_is_told_again_as_it_is(text: str) -> None:
    assert TOLD.text(TOLD.text(text)) == TOLD.text(text)


ENGINE = "http://10.1.2.3:8000/gw"
ELSEWHERE: list[LlamaMCPError] = [
    RemoteUnreachableError(ENGINE, f"GET {ENGINE}/v1/models was tried, and it was down"),
    RemoteUnreachableError(ENGINE, "its host name gpu.corp is not known (no such name)"),
    RemoteRefusedError(ENGINE, f"{ENGINE}/v1/models lists no models", "Wait."),
    RemoteRefusedError(ENGINE, "it redirects to https://gpu.corp/, which is not followed", "Wait."),
    RunByOthersError("m", ENGINE),
    *(LlamaMCPError(note) for note in notes_on_url("http://gpu.corp:8000")),
    WorkersMissingError(["10.1.2.3:50052: nothing listens there"], ["gpu.corp:50052"], 0),
    WorkersRefusedError(["gpu.corp:50052: it is of another version"], "Wait.", ["a line"]),
    WorkerSilentError("m", "10.1.2.3:50052", "it is silent"),
    WorkersInDoubtError(3, "m", ["10.1.2.3:50052", "gpu.corp:50052"]),
]


@pytest.mark.parametrize("error", ELSEWHERE, ids=map(str, range(len(ELSEWHERE))))
def test_where_engines_and_workers_are_is_not_told(error: LlamaMCPError) -> None:
    whole, told = str(error), TOLD.error(error, TOOL_WORDS)
    assert "10.1.2.3" in whole or "gpu.corp" in whole
    assert "10.1.2.3" not in told and "gpu.corp" not in told
    assert "http:" not in told and "https:" not in told
    assert TOLD.text(told) == told


def test_a_time_of_the_day_is_no_address() -> None:
    text = "There is more at 2026-11-27T10:00:02.000Z, which is 10:00 here; llama3:8b waits."
    assert TOLD.text(text) == text


def test_of_a_model_elsewhere_its_address_is_not_told() -> None:
    details = ModelDetails(model="m", size_bytes=0, source="remote", url=ENGINE)
    assert TOLD.details(details).url is None


def test_who_sees_the_machine_is_told_all() -> None:
    told = Discretion.towards(LOCAL, Settings())
    assert told.text("/etc/passwd (pid 7)") == "/etc/passwd (pid 7)"


def test_an_error_is_told_without_its_log(tmp_path: Path) -> None:
    error = LlamaMCPError("It broke at /a/b.", evidence=["a line"], next_step="{Status}.")
    told = Discretion.towards(ANN, Settings(home=tmp_path)).error(error, TOOL_WORDS)
    assert told == "It broke at …/b. Call status."


@pytest.mark.posix
def test_what_is_wrong_with_settings_and_the_file_of_models_only_the_operator_is_told() -> None:
    wrong = ModelsFileError(Path("/srv/models.toml"), ["line 3: `ctx` is unknown"])
    models = ModelList(models=(row("/srv/a.gguf"), row("a")), total=2, note=wrong.situation)
    told = TOLD.models(models)
    assert [each.model for each in told.models] == ["a"]
    assert (told.total, told.note) == (1, ModelsFileError.discreet)
    notes = ("LLAMA_MCP_PORT cannot be 'x'.", "A start uses 'a' of /srv/models.toml.")
    config = TOLD.config(ServerConfig(running=False, notes=notes, model_path="/srv/a.gguf"))
    assert isinstance(config, ConfigByName)
    assert config.notes == ("A start uses 'a' of …/models.toml.",)
    assert config.model_path == "a.gguf"
    assert TOLD.error(wrong, TOOL_WORDS) == ModelsFileError.discreet


def row(name: str) -> ModelRow:
    return ModelRow(model=name, size_bytes=1, source="model_dirs")
