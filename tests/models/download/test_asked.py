"""What names and addresses mean, and which are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.models.download.asked import Asked, is_fit_path, read_name

MIRROR = "http://mirror.example:8000/hub"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("user/repo", Asked("user/repo")),
        (" 'user/repo' ", Asked("user/repo")),
        ("user/repo:Q4_K_M", Asked("user/repo", "Q4_K_M")),
        ("user/repo:q4_k_m", Asked("user/repo", "q4_k_m")),
        ("-hf user/repo:Q8_0", Asked("user/repo", "Q8_0")),
        ("llama-server -hf user/repo", Asked("user/repo")),
        ("hf.co/user/repo:Q8_0", Asked("user/repo", "Q8_0")),
        ("ollama run hf.co/user/repo:Q8_0", Asked("user/repo", "Q8_0")),
        ("hf://user/repo", Asked("user/repo")),
        ("https://huggingface.co/user/repo", Asked("user/repo")),
        ("https://huggingface.co/user/repo/", Asked("user/repo")),
        ("huggingface.co/user/repo", Asked("user/repo")),
        ("https://www.huggingface.co/user/repo?library=gguf#x", Asked("user/repo")),
        ("https://huggingface.co/user/repo/tree/main", Asked("user/repo")),
        ("https://huggingface.co/user/repo/tree/v2", Asked("user/repo", revision="v2")),
        ("https://huggingface.co/user/repo/tree/main/UD-Q4_K_XL", Asked("user/repo", "UD-Q4_K_XL")),
        (
            "https://huggingface.co/user/repo/resolve/main/a/b.gguf?download=true",
            Asked("user/repo", file="a/b.gguf"),
        ),
        (
            "https://huggingface.co/user/repo/blob/v2/b%20c.gguf",
            Asked("user/repo", file="b c.gguf", revision="v2"),
        ),
        (
            "https://huggingface.co/user/repo?show_file_info=x.gguf",
            Asked("user/repo", file="x.gguf"),
        ),
        ("user/repo/x.gguf", Asked("user/repo", file="x.gguf")),
        (f"{MIRROR}/user/repo/resolve/main/x.gguf", Asked("user/repo", file="x.gguf")),
    ],
)
def test_a_name_or_an_address_of_the_hub_says_what_is_meant(text: str, asked: Asked) -> None:
    assert read_name(text, MIRROR) == asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("llama3.2:1b", "has no `/`"),
        ("repo", "has no `/`"),
        ("https://example.com/user/repo", "an address of example.com"),
        ("ftp://huggingface.co.evil/user/repo", "an address of huggingface.co.evil"),
        ("https://huggingface.co@evil.example/a/b", "an address of evil.example"),
        ("/models/x.gguf", "is a path"),
        ("~/x.gguf", "is a path"),
        ("./x/y.gguf", "is a path"),
        ("C:\\models\\x.gguf", "is a path"),
        ("https://huggingface.co/datasets/user/repo", "datasets"),
        ("https://huggingface.co/user", "has no `/`"),
        ("user/repo:", "without a quant"),
        ("user/repo:Q4/../..", "`:`"),
        ("user/../../etc", "no repository"),
        ("../user/repo", "is a path"),
        ("user//repo", "no repository"),
        ("user/re--po", "no repository"),
        ("us\ner/repo", "no repository"),
        ("user/repo\x00", "no repository"),
        ("user/" + "r" * 300, "no repository"),
        ("user/repo:" + "Q" * 100, "no quant"),
        ("user/repo:Q4 --mlock", "no quant"),
        ("user/repo/resolve/main/../../x.gguf", "a file that the hub could not have"),
        ("user/repo/resolve/main/%2e%2e/x.gguf", "a file that the hub could not have"),
        ("user/repo/resolve/main/..%2f..%2fx.gguf", "a file that the hub could not have"),
        ("user/repo/resolve/../x.gguf", "revision"),
        ("user/repo/resolve/main/a\\b.gguf", "a file that the hub could not have"),
        ("user/repo/resolve/main/C:x.gguf", "a file that the hub could not have"),
        ("user/repo/resolve/main/" + "x" * 600 + ".gguf", "a file that the hub could not have"),
        ("user/repo/resolve/main/model.safetensors", "no GGUF"),
        ("user/repo/resolve", "ends after resolve"),
        ("https://[bad/user/repo", "is an address"),
    ],
)
def test_what_is_no_name_of_the_hub_is_told_for_what_it_is(text: str, said: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        read_name(text)
    assert said in str(raised.value)
    assert "user/repo:quant" in str(raised.value)


@given(st.text(max_size=80))
def test_whatever_is_asked_for_the_name_stays_below_the_cache(text: str) -> None:
    try:
        asked = read_name(text)
    except InvalidArgumentError:
        return
    assert ".." not in asked.repo and asked.repo.count("/") == 1 and "\\" not in asked.repo
    assert not asked.file or is_fit_path(asked.file)


@given(st.text(alphabet="abc/.\\ :", max_size=20))
def test_a_path_that_is_let_through_has_no_part_that_leads_elsewhere(path: str) -> None:
    if is_fit_path(path):
        assert all(part not in ("", ".", "..") for part in path.split("/"))
        assert not path.startswith("/") and "\\" not in path and ":" not in path


def test_what_was_asked_for_can_be_asked_for_again_by_its_name() -> None:
    for asked in (
        Asked("user/repo"),
        Asked("user/repo", "Q8_0"),
        Asked("user/repo", revision="v2"),
        Asked("user/repo", "Q8_0", revision="v2"),
        Asked("user/repo", file="a/b.gguf", revision="v2"),
    ):
        assert read_name(asked.name) == asked
