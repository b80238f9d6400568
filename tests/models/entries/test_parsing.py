"""A file of models becomes entries, or one error with everything that is wrong and where."""

from pathlib import Path

import pytest

from llama_mcp.models.entries.entry import NamedModel, RemoteModel
from llama_mcp.models.entries.parsing import MAX_BYTES, parsed
from llama_mcp.models.errors import ModelsFileError

FILE = Path(Path.cwd().anchor, "settings", "models.toml")
ENTRY = '[[models]]\nname = "a"\nmodel_path = "a"\n'


REMOTE = '[[models]]\nname = "far"\nurl = "https://gpu.example/v1/"\n'


def entries(text: str) -> tuple[NamedModel, ...]:
    own = parsed(text.encode(), FILE)
    assert all(isinstance(each, NamedModel) for each in own)
    return tuple(each for each in own if isinstance(each, NamedModel))


def one(lines: str) -> NamedModel:
    (entry,) = entries(ENTRY + lines)
    return entry


def problems(content: str | bytes) -> tuple[str, ...]:
    with pytest.raises(ModelsFileError) as caught:
        parsed(content if isinstance(content, bytes) else content.encode(), FILE)
    return caught.value.problems


def test_an_entry_has_all_that_it_says() -> None:
    (entry,) = entries(
        """
        [[models]]
        name = "coder"
        model_path = "qwen"
        llama_cpp_path = "embedded"
        port = 0
        ctx_size = 16384
        parallel = 1
        n_gpu_layers = 20
        extra_args = ["--cache-type-k", "q8_0"]
        idle_seconds = 900
        keep = true
        rpc_servers = ["10.0.0.2:50052"]
        """
    )
    assert entry.launch_values() == {
        "llama_cpp_path": "embedded",
        "model_path": "qwen",
        "port": 0,
        "ctx_size": 16384,
        "parallel": 1,
        "n_gpu_layers": 20,
        "extra_args": ("--cache-type-k", "q8_0"),
    }
    assert (entry.name, entry.idle_seconds, entry.keep) == ("coder", 900, True)
    assert entry.rpc_servers == ("10.0.0.2:50052",)


def test_an_entry_leaves_to_the_settings_what_it_does_not_say() -> None:
    entry = one("")
    assert entry.launch_values() == {"model_path": "a"}
    assert (entry.idle_seconds, entry.keep, entry.rpc_servers) == (None, False, None)


@pytest.mark.parametrize(
    ("written", "meant"), [('"auto"', None), ('"All"', -1), ("-1", -1), ("0", 0)]
)
def test_layers_are_a_number_or_a_word_of_llama_server(written: str, meant: int | None) -> None:
    assert one(f"n_gpu_layers = {written}").launch_values()["n_gpu_layers"] == meant


def test_flags_are_a_list_or_a_command_line() -> None:
    as_line = one("extra_args = '--lora \"a b.gguf\" -v'").extra_args
    assert as_line == one('extra_args = ["--lora", "a b.gguf", "-v"]').extra_args
    assert as_line == ("--lora", "a b.gguf", "-v")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("models/a.gguf", FILE.parent / "models" / "a.gguf"),
        ("./a.gguf", FILE.parent / "a.gguf"),
        ("~/a.gguf", Path("~/a.gguf")),
        ("file:///models/a.gguf", FILE.parent / "/models/a.gguf"),
        ("a.gguf", Path("a.gguf")),  # a name, until there is such a file
    ],
)
def test_a_relative_path_begins_at_the_folder_of_the_file(written: str, meant: Path) -> None:
    (entry,) = entries(f'[[models]]\nname = "a"\nmodel_path = "{written}"')
    assert Path(entry.model_path) == meant.expanduser()


def test_llama_cpp_lies_beside_the_file_too() -> None:
    assert one('llama_cpp_path = "build/bin"').llama_cpp_path == str(FILE.parent / "build" / "bin")


@pytest.mark.parametrize("name", ["publisher/repo/file", "qwen", "qwen2.5:7b"])
def test_a_name_of_a_model_stays_a_name(name: str) -> None:
    (entry,) = entries(f'[[models]]\nname = "a"\nmodel_path = "{name}"')
    assert entry.model_path == name


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "models = []\n"])
def test_a_file_may_have_no_entry(text: str) -> None:
    assert entries(text) == ()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_mark_of_windows_change_nothing(mark: str, ending: str) -> None:
    content = mark + (ENTRY + "ctx_size = 0\n").replace("\n", ending)
    assert problems(content)[0].startswith("line 4: ctx_size cannot be 0")
    assert entries(mark + ENTRY.replace("\n", ending))[0].name == "a"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ctx_size = 0", "ctx_size cannot be 0: it takes a whole number from 1 to 2147483392"),
        ("ctx_size = 1.5", "ctx_size cannot be 1.5: it takes a whole number from 1 to 2147483392"),
        ('ctx_size = "1"', 'ctx_size cannot be "1": it takes a whole number'),
        ("parallel = true", "parallel cannot be true: it takes a whole number from 1 to 256"),
        ("port = 65536", "port cannot be 65536: it takes a whole number from 0 to 65535"),
        ('n_gpu_layers = "some"', '"some": it takes a whole number from -1 to 2147483647, "all"'),
        ('n_gpu_layers = "20"', 'n_gpu_layers cannot be "20": it takes a whole number'),
        ("n_gpu_layers = -2", "n_gpu_layers cannot be -2: it takes a whole number from -1"),
        ("idle_seconds = -1", "idle_seconds cannot be -1: it takes a number from 0 on"),
        ("idle_seconds = nan", "it takes a number from 0 on"),
        ("idle_seconds = inf", "it takes a number from 0 on"),
        ('keep = "yes"', 'keep cannot be "yes": it takes true or false'),
        (
            'rpc_servers = ["worker"]',
            'rpc_servers cannot be ["worker"]: it takes a list of texts such as "10.0.0.2:50052"',
        ),
        ("rpc_servers = 5", "rpc_servers cannot be 5: it takes a list"),
        ("keep = 1", "keep cannot be 1: it takes true or false"),
        ("extra_args = [1]", "extra_args cannot be [1]: it takes a list of texts, or one text"),
        ("extra_args = '--a \"'", "a quote is opened and never closed"),
        ('llama_cpp_path = ""', 'cannot be "": it takes the path of llama.cpp, or `embedded`'),
        ('llama_cpp_path = "${env:X}/y"', "${env:X} is not filled in here"),
        ("llama_cpp_path = 1979-05-27", 'cannot be "1979-05-27": it takes the path of llama.cpp'),
        ("ctx_sise = 1", "ctx_sise is nothing that an entry has; the nearest name is ctx_size"),
        ("x = 1", "x is nothing that an entry has; it has name, model_path, llama_cpp_path"),
        ('"a\\nb" = 1', "a\\nb is nothing that an entry has"),
    ],
)
def test_a_wrong_value_is_told_with_its_line_and_what_its_field_takes(line: str, told: str) -> None:
    (problem,) = problems(f"# first\n{ENTRY}\n{line}\n")
    assert problem.startswith("line 6: ")
    assert told in problem


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ('""', "1 to 64 visible characters"),
        (f'"{"a" * 65}"', "1 to 64 visible characters"),
        ("5", "1 to 64 visible characters"),
        ('" a"', "without blanks or quotes around it"),
        ('"a\\tb"', "without blanks or quotes around it"),
        ('"a\\u200b"', "without blanks or quotes around it"),
        ('"a,b"', "it takes no comma"),
        ('"ALL"', "that word stands for every model"),
        ('"/a"', "it would be taken for a path"),
        ('"~a"', "it would be taken for a path"),
        ('"http://a"', "it would be taken for a path"),
    ],
)
def test_a_name_that_nobody_could_use_is_refused(name: str, told: str) -> None:
    (problem,) = problems(f'[[models]]\nname = {name}\nmodel_path = "a"\n')
    assert problem.startswith("line 2: name cannot be ")
    assert told in problem


def test_a_name_may_have_any_letters_and_blanks_inside() -> None:
    assert entries('[[models]]\nname = "Größe 7b (q4)"\nmodel_path = "a"')[0].name


def test_two_entries_may_have_one_model_but_not_one_name() -> None:
    first, second = entries(ENTRY + ENTRY.replace('name = "a"', 'name = "b"'))
    assert first.model_path == second.model_path
    (problem,) = problems(ENTRY + ENTRY.replace('name = "a"', 'name = "A"'))
    assert problem == 'line 5: name cannot be "A": an entry before has it, in whatever case'


def test_everything_that_is_wrong_is_told_at_once_from_the_first_line_on() -> None:
    text = f'{ENTRY}keep = 1\n[[models]]\nport = -1\n[model]\n[[models]]\nname = "b"\n'
    assert [problem.partition(": ")[0] for problem in problems(text)] == [
        "line 4",
        "line 5",
        "line 5",
        "line 6",
        "line 7",
        "line 8",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[models]\nname = "a"\n', "line 1: [[models]] stands before each entry, with two"),
        ("\nmodels = 1\n", "line 2: [[models]] stands before each entry, with two"),
        ("models = [1]\n", "line 1: 1 is no table: write [[models]] before each entry"),
        ("name = 'a'\n", "line 1: name does not belong there: the file has [[models]] tables"),
    ],
)
def test_tables_of_another_form_are_told(text: str, told: str) -> None:
    assert problems(text)[0].startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\nname a\n", "line 2: it is no TOML: Expected '=' after a key"),
        (f'{ENTRY}name = "b"\n', "line 4: it is no TOML: Cannot overwrite a value"),
        (
            'a = "C:\\Models"',
            "a path with backslashes stands in single quotes: 'C:\\Models\\x.gguf'",
        ),
        ('a = 1\nb = """\n\n', "line 2: it is no TOML: what begins there is not finished when"),
        (f"{ENTRY}extra_args = [\n'a',\n# ]\n", "line 4: it is no TOML: what begins there is not"),
        (f"a = {'[' * 5000}", "it is nested too deeply"),
        (f"a = {'1' * 5000}", "it is no TOML: "),
    ],
)
def test_what_is_no_toml_has_the_line_of_the_parser(text: str, told: str) -> None:
    (problem,) = problems(text)
    assert told in problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (ENTRY.encode("utf-16"), "it is in UTF-16; save it as UTF-8"),
        (b"\n# caf\xe9\n", "line 2: it is not in UTF-8; save it as UTF-8"),
        (b"#" * (MAX_BYTES + 1), "it is larger than 64 KiB"),
        (ENTRY.encode("utf-16-le"), "it is no TOML: "),
    ],
)
def test_bytes_that_are_no_text_of_ours_are_told(content: bytes, told: str) -> None:
    (problem,) = problems(content)
    assert told in problem


def test_the_error_names_the_file_and_what_to_do() -> None:
    with pytest.raises(ModelsFileError) as caught:
        entries("x")
    text = str(caught.value)
    assert f"The file of models {FILE}, which LLAMA_MCP_MODELS names, is wrong: line 1: " in text
    assert "it is read again when it has changed" in text


def test_of_very_many_problems_the_first_are_told() -> None:
    text = ENTRY + "".join(f"x{number} = 1\n" for number in range(100))
    with pytest.raises(ModelsFileError) as caught:
        entries(text)
    assert len(caught.value.problems) == 100
    assert "; 80 more. Ask the user" in str(caught.value)


def test_a_large_file_with_an_error_at_its_end_is_told_the_line() -> None:
    rows = [f'[[models]]\nname = "m{number}"\nmodel_path = "a"\n' for number in range(1200)]
    rows.append("keep = 1\n")
    (problem,) = problems("".join(rows))
    assert problem.startswith("line 3601: keep cannot be 1")


def test_what_is_given_is_what_the_file_has() -> None:
    assert one("keep = false\nport = 0").given == {"name", "model_path", "keep", "port"}


def test_an_entry_with_a_url_has_an_engine_that_somebody_else_runs() -> None:
    more = 'key_file = "keys/gpu"\nurl_model = "qwen"\nctx_size = 32768\nparallel = 3\n'
    (entry,) = parsed((REMOTE + more).encode(), FILE)
    assert isinstance(entry, RemoteModel)
    assert (entry.name, entry.url, entry.url_model) == ("far", "https://gpu.example", "qwen")
    assert entry.key_file == FILE.parent / "keys" / "gpu"
    assert (entry.ctx_size, entry.parallel) == (32768, 3)


def test_entries_of_both_kinds_keep_their_order() -> None:
    names = [each.name for each in parsed((REMOTE + ENTRY).encode(), FILE)]
    assert names == ["far", "a"]


def test_what_starts_a_model_is_refused_beside_a_url_on_its_line() -> None:
    told = problems(REMOTE + 'model_path = "a"\nn_gpu_layers = 3\n')
    assert told == (
        "line 4: model_path does not go with url: somebody else runs that engine",
        "line 5: n_gpu_layers does not go with url: somebody else runs that engine",
    )


def test_what_belongs_to_a_url_is_refused_without_one() -> None:
    assert problems(ENTRY + 'url_model = "a"\n') == ("line 4: url_model needs url beside it",)


def test_an_entry_needs_a_model_or_a_url() -> None:
    told = "line 1: model_path is missing, or url for an engine that somebody else runs"
    assert problems('[[models]]\nname = "a"\n') == (told,)


@pytest.mark.parametrize(
    "url",
    [
        "gpu.example:8000",
        "ftp://gpu.example",
        "https://",
        "http://gpu:x",
        "https://u:pw@gpu.example",
    ],
)
def test_an_address_that_is_none_is_told_without_what_it_holds(url: str) -> None:
    (told,) = problems(REMOTE.replace("https://gpu.example/v1/", url))
    assert told.startswith("line 3: url cannot be what it is: it takes ")
    assert "pw@" not in told


def test_a_key_in_the_place_of_its_file_is_not_told() -> None:
    (told,) = problems(REMOTE + 'key_file = "sk-very-secret"\n')
    assert "the path of a file that holds the key" in told and "sk-very" not in told
