"""A start takes a call's arguments, then an entry's values, then the settings; errors say whose."""

from pathlib import Path
from typing import Any

import pytest

from llama_mcp.errors import InvalidArgumentError, LlamaMCPError, WrongSettingsError
from llama_mcp.llama_server.errors import EntrysValueError, OperatorsValueError
from llama_mcp.llama_server.starting.asked import Asked
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import Settings
from tests.support.models_file import entry, write_models

OWN: dict[str, Any] = {"ctx_size": 1024, "n_gpu_layers": "auto", "idle_seconds": 9, "keep": True}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    entries = entry("coder", "m/qwen.gguf", **OWN), entry("plain", "name")
    return write_models(tmp_path / "models.toml", *entries)


def asked(file: Path, settings: Settings | None = None, **arguments: Any) -> Asked:
    settings = settings or Settings(port=0, ctx_size=2048, n_gpu_layers=7, idle_seconds=60)
    with_file = settings.model_copy(update={"models": file})
    read = with_file.with_findings(settings.faults, settings.notices)
    return Asked.checked(read, {}, LaunchArguments(**arguments))


def test_an_entry_goes_before_the_settings_and_a_call_before_both(file: Path) -> None:
    config = asked(file, model_path="coder").config
    assert (config.ctx_size, config.n_gpu_layers, config.port) == (1024, None, 0)
    assert config.model_path == str(file.parent / "m" / "qwen.gguf")
    assert asked(file, model_path="coder", ctx_size=512).config.ctx_size == 512
    assert asked(file, model_path="coder", n_gpu_layers=3).config.n_gpu_layers == 3


def test_an_entry_leaves_to_the_settings_what_it_does_not_say(file: Path) -> None:
    of_plain = asked(file, model_path="plain")
    config = of_plain.config
    assert (config.ctx_size, config.n_gpu_layers) == (2048, 7)
    assert (of_plain.idle_seconds, of_plain.keep) == (60, False)


def test_an_entry_says_how_long_its_model_stays(file: Path) -> None:
    of_coder = asked(file, model_path="cod")
    assert (of_coder.idle_seconds, of_coder.keep) == (9, True)
    zero = write_models(file, entry("never", "m", idle_seconds=0))
    assert asked(zero).idle_seconds == 0


def test_no_entry_is_meant_by_a_path(file: Path) -> None:
    of_path = asked(file, model_path=str(file.parent / "x.gguf"))
    assert of_path.entry is None and of_path.config.ctx_size == 2048
    assert (of_path.idle_seconds, of_path.keep) == (60, False)


def test_relative_files_in_extra_args_of_an_entry_lie_beside_its_file(file: Path) -> None:
    write_models(file, entry("a", "m", extra_args=["--lora", "x.gguf"]))
    assert asked(file, model_path="a").folder_of_extra_args == file.parent
    assert asked(file, model_path="a", extra_args=("--lora", "y")).folder_of_extra_args is None
    assert asked(write_models(file, entry("a", "m"))).folder_of_extra_args is None


def test_a_wrong_setting_hinders_no_start_whose_entry_has_its_value(file: Path) -> None:
    wrong = read_settings({"LLAMA_MCP_CTX_SIZE": "many"})
    assert asked(file, wrong, model_path="coder").config.ctx_size == 1024
    with pytest.raises(WrongSettingsError, match="LLAMA_MCP_CTX_SIZE"):
        asked(file, wrong, model_path="plain")


def blamed(on: Asked, *parameters: str) -> LlamaMCPError:
    with pytest.raises(LlamaMCPError) as caught, on.blaming(*parameters):
        raise InvalidArgumentError("it", "is wrong", "Change it.")
    return caught.value


def test_an_error_says_whose_value_it_is_about(file: Path) -> None:
    of_coder = asked(file, model_path="coder", parallel=2)
    for parameters in (("model_path",), ("ctx_size",), ("parallel", "ctx_size")):
        error = blamed(of_coder, *parameters)
        assert isinstance(error, EntrysValueError)
        assert "'coder' in " in str(error) and str(file) in str(error)
        assert f"did not pass {parameters[-1]}" in str(error)
    assert isinstance(blamed(of_coder, "parallel"), InvalidArgumentError)
    of_call = asked(file, model_path="coder", ctx_size=512)
    assert isinstance(blamed(of_call, "ctx_size"), InvalidArgumentError)
    # What the entry leaves out is the setting's, if that is set.
    of_plain = asked(file, model_path="plain")
    assert isinstance(blamed(of_plain, "ctx_size"), OperatorsValueError)
    assert isinstance(blamed(of_plain, "extra_args"), InvalidArgumentError)


def test_a_default_that_is_ambiguous_is_the_operators_fault(file: Path) -> None:
    write_models(file, entry("one", "m"), entry("only", "m"))
    with pytest.raises(OperatorsValueError, match=r"LLAMA_MCP_MODEL_PATH(.|\n)*"):
        asked(file, Settings(model_path="on"))
    with pytest.raises(ModelUnusableError):
        asked(file, model_path="on")


def test_a_wrong_file_is_told_for_what_it_is(file: Path) -> None:
    file.write_text("nonsense", encoding="utf-8")
    for arguments in ({}, {"model_path": "coder"}):
        with pytest.raises(ModelsFileError, match="line 1"):
            asked(file, Settings(model_path="coder"), **arguments)
    assert asked(file, model_path=str(file)).entry is None
