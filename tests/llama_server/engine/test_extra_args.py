"""A flag that cannot be passed is answered with what can be, from this build's own --help."""

from pathlib import Path

import pytest

from llama_mcp.errors import InvalidArgumentError, PathNotAllowedError
from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help, parse_removed
from llama_mcp.llama_server.engine.extra_args import check_extra_args
from llama_mcp.llama_server.engine.extra_files import with_files_found

HELP = """\
-m,    --model FNAME                    model path
--port PORT                             port to listen
-c,    --ctx-size N                     size of the prompt context
-ngl,  --n-gpu-layers N                 layers
-t,    --threads N                      threads
-fa,   --flash-attn [on|off|auto]       set Flash Attention use
--no-warmup                             skip warming up
--api-key KEY                           API key to use for authentication
--host HOST                             address
--rpc SERVERS                           RPC servers
--spec-draft-n-max N                    number of tokens to draft
--draft, --draft-n, --draft-max N       the argument has been removed. use --spec-draft-n-max or
                                        --spec-ngram-mod-n-max
                                        (env: LLAMA_ARG_DRAFT_MAX)
--lora FNAME                            path to LoRA adapter (use comma-separated values)
--lora-scaled FNAME:SCALE,...           path to LoRA adapter with user defined scaling
-mm,   --mmproj FILE                    path to a multimodal projector file
--chat-template-file JINJA_TEMPLATE_FILE
                                        set custom jinja chat template file
-lcd,  --lookup-cache-dynamic FNAME     path to dynamic lookup cache
"""
BUILD = Capabilities("b1", parse_help(HELP), parse_removed(HELP))


def refusal(*extra_args: str) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        check_extra_args(extra_args, BUILD, ["10.0.0.1:50052"])
    text = str(caught.value)
    assert "--help" not in text
    return text


@pytest.mark.parametrize(
    ("extra_args", "words"),
    [
        (["--flsh-attn", "on"], "It has: --flash-attn [on|off|auto]. Correct it, or leave it out."),
        (["--draft-n-max", "4"], "--spec-draft-n-max N"),
        (["--draft-max", "4"], "use --spec-draft-n-max or --spec-ngram-mod-n-max. Correct it"),
        (["--ctx_sise", "4"], "--ctx-size (use ctx_size)"),
        (["--zzzz"], "nor is one like it. Leave it out."),
        (["--flash-attn on"], 'Pass ["--flash-attn", "on"].'),
        (["--threads=4"], 'Pass ["--threads", "4"].'),
        (["-c 8192"], "pass ctx_size=8192."),
        (["--api-key=x"], "Leave it out; llama-mcp never passes it on."),
        (["--port", "9000"], "Leave it out of extra_args, and pass port=9000."),
        (["-ngl", "99"], "pass n_gpu_layers=99."),
        (["--model"], "pass model_path."),
        (["--host", "0.0.0.0"], "(llama-server listens on this machine only). Leave it out."),
        (["--rpc", "1.2.3.4:5"], "or take one that is allowed: 10.0.0.1:50052; only the operator"),
        (["--threads"], 'as an item of its own: ["--threads", "N"].'),
        (["--threads", "--mlock"], "Put its value (N) directly behind it."),
        (["--no-warmup", "true"], "Leave it out: --no-warmup takes no value."),
        (["8192"], "Leave it out, or put its flag before it."),
    ],
)
def test_the_answer_to_a_wrong_flag_says_what_to_pass_instead(
    extra_args: list[str], words: str
) -> None:
    assert words in refusal(*extra_args)


def test_a_negative_number_is_a_value_and_no_flag() -> None:
    check_extra_args(["--threads", "-1"], BUILD, [])


def found(*extra_args: str, allowed: tuple[Path, ...] = ()) -> tuple[str, ...]:
    return with_files_found(extra_args, BUILD, allowed)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.gguf", "b.gguf", "mmproj-a.gguf", "my template.jinja", "x,y.jinja"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("flag", "written", "meant"),
    [
        ("--mmproj", "mmproj-a.gguf", "{}/mmproj-a.gguf"),
        ("-mm", "~/mmproj-a.gguf", "{}/mmproj-a.gguf"),
        ("--chat-template-file", "'my template.jinja'\n", "{}/my template.jinja"),
        ("--chat_template_file", "x,y.jinja", "{}/x,y.jinja"),
        ("--lora", "a.gguf,~/b.gguf", "{}/a.gguf,{}/b.gguf"),
        ("--lora-scaled", "a.gguf:0.5,b.gguf:2", "{}/a.gguf:0.5,{}/b.gguf:2"),
        ("--lookup-cache-dynamic", "not-there-yet", "{}/not-there-yet"),
    ],
)
@pytest.mark.posix
def test_a_file_that_a_flag_names_becomes_an_absolute_path(
    folder: Path, flag: str, written: str, meant: str
) -> None:
    assert found("-t", "4", flag, written) == ("-t", "4", flag, meant.replace("{}", str(folder)))


def test_a_file_that_is_not_there_is_answered_with_the_files_beside_it(folder: Path) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        found("--mmproj", str(folder / "mmproj-b.gguf"))
    text = str(caught.value)
    assert f"names {folder / 'mmproj-b.gguf'} for --mmproj, which does not exist" in text
    assert f"{folder} holds: mmproj-a.gguf, " in text and "leave --mmproj out" in text
    with pytest.raises(InvalidArgumentError, match="nor does the folder"):
        found("--lora", f"a.gguf,{folder / 'gone' / 'b.gguf'}")


def test_a_file_outside_the_allowed_folders_is_refused_before_it_is_looked_for(
    folder: Path,
) -> None:
    with pytest.raises(PathNotAllowedError):
        found("--lora", "nowhere.gguf", allowed=(folder / "models",))
    assert found("--mmproj", "mmproj-a.gguf", allowed=(folder,))
