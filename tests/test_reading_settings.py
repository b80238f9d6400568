"""Whatever the environment says, settings are read: what is right counts, what is wrong is told."""

import os
from pathlib import Path

import pytest

from llama_mcp.errors import WrongSettingsError
from llama_mcp.reading_settings import all_missing_folders, findings_in, read_settings
from llama_mcp.setting_texts import ON_WINDOWS
from llama_mcp.setting_values import MODEL_PLACES
from llama_mcp.settings import Settings
from tests.support.bad_settings import BAD_VALUES, NUMBERS, PATHS, SETTINGS, WORDS


def faults_of(variables: dict[str, str]) -> dict[str, str]:
    return {fault.name: fault.text for fault in read_settings(variables).faults}


@pytest.mark.parametrize("name", SETTINGS)
def test_no_value_of_any_setting_is_more_than_a_fault(name: str) -> None:
    variable = f"LLAMA_MCP_{name.upper()}"
    for kind, value in BAD_VALUES.items():
        faults = faults_of({variable: value, "LLAMA_MCP_NOTHING": value})
        assert set(faults) <= {name}, kind
        for text in faults.values():
            assert text.startswith(f"{variable} cannot be "), kind
            assert len(text) < 500 and text.isprintable(), kind


@pytest.mark.parametrize("name", [*NUMBERS, *WORDS])
def test_a_wrong_word_is_told_with_what_the_setting_takes(name: str) -> None:
    told = faults_of({f"LLAMA_MCP_{name.upper()}": "perhaps"})[name]
    assert "it takes " in told
    assert name == "api_key" or "'perhaps'" in told


@pytest.mark.parametrize(
    "value",
    ["http://box:8000", " http://box:8000/ ", "'http://box:8000/v1'", "http://box:8000/v1/"],
)
def test_an_address_is_taken_with_or_without_the_path_of_its_api(value: str) -> None:
    assert read_settings({"LLAMA_MCP_URL": value}).url == "http://box:8000"


def test_an_address_keeps_the_path_that_leads_to_its_api() -> None:
    url = "https://swap.example/upstream/qwen"
    assert read_settings({"LLAMA_MCP_URL": f"{url}/v1"}).url == url


@pytest.mark.parametrize(
    "value",
    [
        *("box:8000", "box", "ftp://box", "http://", "http://box:99999", "http://[::1"),
        *("http://user:hidden@box", "http://box/?key=hidden", "http://box/#hidden"),
        *("http://bo x", "http://box\\v1"),
    ],
)
def test_what_is_no_address_of_an_engine_is_a_fault_that_tells_no_secret(value: str) -> None:
    told = faults_of({"LLAMA_MCP_URL": value})["url"]
    assert "it takes " in told and "hidden" not in told
    (finding,) = findings_in(read_settings({"LLAMA_MCP_URL": value}))
    assert finding.endswith("No model answers until it is set right.")


def test_a_key_where_its_file_belongs_is_a_fault_that_does_not_tell_it() -> None:
    told = faults_of({"LLAMA_MCP_URL_KEY_FILE": "sk-hidden"})["url_key_file"]
    assert "the file that holds the key" not in told.split(":")[0] and "sk-hidden" not in told


def test_the_file_of_a_key_need_not_be_there() -> None:
    settings = read_settings({"LLAMA_MCP_URL_KEY_FILE": "~/keys/box"})
    assert settings.url_key_file == Path.home() / "keys" / "box" and not settings.faults


@pytest.mark.parametrize("value", ["", " \n", '""', "${user_config.x}", "'${env:X}'", "undefined"])
def test_what_is_empty_or_not_filled_in_counts_as_unset(value: str) -> None:
    settings = read_settings({f"LLAMA_MCP_{name.upper()}": value for name in SETTINGS})
    assert settings.model_dump() == Settings().model_dump()
    assert not settings.faults
    assert all("nobody has filled in" in notice for notice in settings.notices)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LOG_LEVEL": "info"}, {"log_level": "INFO"}),
        ({"LOG_LEVEL": "Warn"}, {"log_level": "WARNING"}),
        ({"LOG_LEVEL": ' "critical"\n'}, {"log_level": "ERROR"}),
        ({"API_KEY": "AUTO"}, {"api_key": "auto"}),
        ({"AUTO_RESTART": "Off"}, {"auto_restart": False}),
        ({"TRACE_CONTENT": "YES "}, {"trace_content": True}),
        ({"PORT": '"0"'}, {"port": 0}),
        ({"CTX_SIZE": " 512\n"}, {"ctx_size": 512}),
        ({"N_GPU_LAYERS": "All"}, {"n_gpu_layers": -1}),
        ({"N_GPU_LAYERS": "auto"}, {"n_gpu_layers": None}),
        ({"LLAMA_CPP_PATH": "Embedded"}, {"llama_cpp_path": "embedded"}),
        ({"MODEL_PATH": " tiny.gguf\n"}, {"model_path": "tiny.gguf"}),
        ({"MODEL_PATH": "llama3.2:1b"}, {"model_path": "llama3.2:1b"}),
        ({"MODEL_PATH": "'u/repo/file'"}, {"model_path": "u/repo/file"}),
        ({"MODEL_PATH": "https://hf.co/u/r"}, {"model_path": "https://hf.co/u/r"}),
        ({"MODEL_PLACES": "None"}, {"model_places": ()}),
        ({"MODEL_PLACES": " ALL\n"}, {"model_places": MODEL_PLACES}),
        ({"MODEL_PLACES": "LM Studio, ollama,Ollama"}, {"model_places": ("lm-studio", "ollama")}),
        ({"MODEL_PLACES": "llamacpp,HuggingFace"}, {"model_places": ("llama.cpp", "huggingface")}),
        ({"EXTRA_ARGS": '"-t 4"'}, {"extra_args": ("-t", "4")}),
        ({"EXTRA_ARGS": '--a "b c"'}, {"extra_args": ("--a", "b c")}),
        ({"RPC_SERVERS": "'a:1, b:2,'"}, {"rpc_servers": ("a:1", "b:2")}),
        ({"PASS_ENV": "A, MY_*"}, {"pass_env": ("A", "MY_*")}),
    ],
)
def test_words_in_any_case_and_numbers_with_quotes_or_blanks_are_taken(
    variables: dict[str, str], expected: dict[str, object]
) -> None:
    named = {f"LLAMA_MCP_{name}": value for name, value in variables.items()}
    settings = read_settings(named)
    assert not settings.faults
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize("text", ["gpt5all", "ollama, none", "all,ollama", ",", "ollama;jan"])
def test_a_place_that_nobody_knows_is_answered_with_those_that_there_are(text: str) -> None:
    faults = faults_of({"LLAMA_MCP_MODEL_PLACES": text})
    assert "it takes all, none, or some of huggingface, llama.cpp" in faults["model_places"]


def test_a_relative_path_to_a_model_is_told_from_a_name_by_its_ending_or_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    for text, path in {"a/b": "a/b", "a/c.GGUF": "a/c.GGUF", "./c": "c"}.items():
        settings = read_settings({"LLAMA_MCP_MODEL_PATH": text})
        assert settings.model_path == str(tmp_path / path)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "written", ["~/x y", '"~/x y"', " ~/x y\n", "file://~/x%20y", "x y", "./x y"]
)
def test_a_path_is_made_whole_once(
    name: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value = getattr(read_settings({f"LLAMA_MCP_{name.upper()}": written}), name)
    (path,) = map(Path, value if isinstance(value, tuple) else (value,))
    is_a_name = written == "x y" and name in ("model_path", "llama_cpp_path")
    expected = Path("x y") if is_a_name else (Path.home() if "~" in written else tmp_path) / "x y"
    assert path == expected


def test_a_list_of_folders_is_written_as_in_path(tmp_path: Path) -> None:
    written = os.pathsep.join(["~", "", str(tmp_path / "a b"), f"{tmp_path}{os.sep}"])
    settings = read_settings({"LLAMA_MCP_ALLOWED_PATHS": written})
    assert settings.allowed_paths == (Path.home(), tmp_path / "a b", tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("EXTRA_ARGS", '--a "b', "a quote is opened and never closed"),
        ("EXTRA_ARGS", "[1]", "valid string"),
        ("EXTRA_ARGS", "[" * 100_000, "begins like a JSON list"),
        ("HOME", "%NO%/x" if ON_WINDOWS else "~no-such-user/x", "%NO%" if ON_WINDOWS else "home"),
        ("HOME", "${DATA}/x", "${DATA} is not filled in here"),
        ("MODEL_DIRS", "/a\x1b[31m", r"control character '\x1b'"),
        ("PORT", "9" * 5000, "a whole number from 0 to 65535"),
        ("LINGER_SECONDS", "nan", "a number from -1 on"),
        ("WAIT_SECONDS", "601", "a number from 0 to 600"),
        ("WAIT_SECONDS", "nan", "a number from 0 to 600"),
        ("FINISH_SECONDS", "-1", "a number from 0 on"),
        ("UNRESPONSIVE_SECONDS", "0", "a number above 0"),
        ("PASS_ENV", "LLAMA_ARG_PORT", "LLAMA_MCP_EXTRA_ARGS"),
        ("PASS_ENV", "A=1", "no name of a variable"),
        ("API_KEY", "sk-secret", "it takes none or auto"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_the_reason(
    name: str, value: str, reason: str
) -> None:
    (told,) = faults_of({f"LLAMA_MCP_{name}": value}).values()
    assert reason in told
    assert "sk-secret" not in told


def test_all_wrong_settings_are_told_at_once_and_only_to_who_needs_one_of_them() -> None:
    wrong = {"LLAMA_MCP_PORT": "x", "LLAMA_MCP_LOG_LEVEL": "loud", "LLAMA_MCP_WAIT_SECONDS": "-1"}
    settings = read_settings(wrong)
    settings.check(["ctx_size", "home"])
    with pytest.raises(WrongSettingsError) as raised:
        settings.check(["port"])
    assert "LLAMA_MCP_PORT" in str(raised.value) and "LLAMA_MCP_LOG_LEVEL" in str(raised.value)


def test_a_name_that_is_no_setting_is_told_with_the_nearest_one() -> None:
    notes = findings_in(read_settings({"LLAMA_MCP_PROT": "3", "LLAMA_MCP_ZZZ": "", "PORT": "1"}))
    assert len(notes) == 2
    assert "LLAMA_MCP_PROT is not a setting" in notes[0] and "LLAMA_MCP_PORT" in notes[0]
    assert notes[1] == "LLAMA_MCP_ZZZ is not a setting of llama-mcp and has no effect."


def test_folders_that_are_not_there_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    names = ["nowhere", "file", "."]
    written = os.pathsep.join(str(tmp_path / name) for name in names)
    notes = all_missing_folders(read_settings({"LLAMA_MCP_MODEL_DIRS": written}))
    assert [note.split()[0] for note in notes] == ["LLAMA_MCP_MODEL_DIRS"] * 2
    assert str(tmp_path / "nowhere") in notes[0] and str(tmp_path / "file") in notes[1]


def test_folders_for_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    settings = read_settings({"LLAMA_MCP_FILE_DIRS": gone, "LLAMA_MCP_SAVE_DIRS": str(tmp_path)})
    (note,) = all_missing_folders(settings)
    assert note == f"LLAMA_MCP_FILE_DIRS names {gone}, where no folder is."
    assert read_settings({"LLAMA_MCP_FILE_DIRS": "None"}).file_dirs == ()
