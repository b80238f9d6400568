"""What the environment says of the hub, its cache and who asks."""

from pathlib import Path

import pytest

from llama_mcp.models.download.access import PUBLIC_HUB, read_access
from llama_mcp.models.download.errors import DownloadFailedError


@pytest.mark.parametrize(
    ("variables", "cache"),
    [
        ({}, "home/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{}/x"}, "x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{}/x", "HF_HOME": "{}/h"}, "h/hub"),
        ({"HF_HOME": "{}/h", "HUGGINGFACE_HUB_CACHE": "{}/c"}, "c"),
        ({"HUGGINGFACE_HUB_CACHE": "{}/c", "HF_HUB_CACHE": "{}/d"}, "d"),
        ({"HF_HUB_CACHE": "{}/d", "LLAMA_CACHE": "{}/l"}, "l"),
        ({"HF_HUB_CACHE": "", "HF_HOME": " "}, "home/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_the_one_that_llama_server_would_use(
    tmp_path: Path, variables: dict[str, str], cache: str
) -> None:
    environment = {name: text.format(tmp_path) for name, text in variables.items()}
    access = read_access({"HOME": str(tmp_path / "home"), **environment})
    assert access.cache == tmp_path / cache


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, PUBLIC_HUB),
        ({"HF_ENDPOINT": "https://mirror.example/"}, "https://mirror.example"),
        (
            {"HF_ENDPOINT": "https://a.example", "MODEL_ENDPOINT": "http://b.example:80/hub/"},
            "http://b.example:80/hub",
        ),
        ({"HF_ENDPOINT": "  "}, PUBLIC_HUB),
    ],
)
def test_the_hub_is_the_operator_s(variables: dict[str, str], endpoint: str) -> None:
    assert read_access(variables).endpoint == endpoint


@pytest.mark.parametrize(
    "address",
    [
        *("mirror.example", "file:///etc", "https://", "http://[x", "https://a.b/c d"),
        *("https://a.b/ü", "https://user:secret@mirror.example"),
    ],
)
def test_an_address_that_is_none_is_told_by_its_variable(address: str) -> None:
    with pytest.raises(
        DownloadFailedError, match="HF_ENDPOINT, which the operator has set"
    ) as told:
        read_access({"HF_ENDPOINT": address})
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("place", "variables"),
    [
        ("home/.cache/huggingface/token", {}),
        ("x/huggingface/token", {"XDG_CACHE_HOME": "{}/x"}),
        ("h/token", {"XDG_CACHE_HOME": "{}/x", "HF_HOME": "{}/h"}),
        ("t", {"HF_HOME": "{}/h", "HF_TOKEN_PATH": "{}/t"}),
    ],
)
def test_the_token_is_found_where_the_hub_s_program_writes_it(
    tmp_path: Path, place: str, variables: dict[str, str]
) -> None:
    environment = {name: text.format(tmp_path) for name, text in variables.items()}
    environment["HOME"] = str(tmp_path / "home")
    assert read_access(environment).token is None
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("hf_secret\n")
    access = read_access(environment)
    assert access.token == "hf_secret" and "hf_secret" not in repr(access)
    assert read_access(environment | {"HF_TOKEN": "hf_other"}).token == "hf_other"
    assert read_access(environment | {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}).token is None


@pytest.mark.parametrize("text", ["two words", "hf_\x00", "hf_é", "x" * 2000, "a\r\nHost: b"])
def test_what_could_be_no_token_is_sent_to_nobody(text: str) -> None:
    assert read_access({"HF_TOKEN": text}).token is None
