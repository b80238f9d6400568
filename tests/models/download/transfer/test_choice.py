"""Which files are taken: llama.cpp's choice, if it fits."""

import pytest

from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import DownloadFailedError
from llama_mcp.models.download.transfer.choice import HubFile, choose

GIB = 2**30


def hub_files(**sizes: float) -> list[HubFile]:
    return [HubFile(path, int(gib * GIB), "0" * 64) for path, gib in sizes.items()]


def files(*paths: str) -> list[HubFile]:
    return [HubFile(path, GIB, "0" * 64) for path in paths]


def chosen(listed: list[HubFile], quant: str = "", **more: str) -> list[str]:
    choice = choose(listed, Asked("user/repo", quant, **more), None)
    return [file.path for file in choice.files]


@pytest.mark.parametrize(
    ("paths", "quant", "expected"),
    [
        (["m-F16.gguf", "m-Q8_0.gguf", "m-Q4_K_M.gguf"], "", "m-Q4_K_M.gguf"),
        (["m-F16.gguf", "m-Q8_0.gguf"], "", "m-Q8_0.gguf"),
        (["README.md", "m-F16.gguf", "m-Q6_K.gguf"], "", "m-F16.gguf"),
        (["mmproj-F16.gguf", "imatrix.gguf", "mtp-m.gguf", "m.gguf"], "", "m.gguf"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], "q8_0", "m-Q8_0.gguf"),
        (["m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf"], "UD-Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        (["m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf"], "q4_k_xl", "m-UD-Q4_K_XL.gguf"),
        (["m.UD-Q4_K_M.gguf", "m.Q4_K_M.gguf"], "Q4_K_M", "m.Q4_K_M.gguf"),
        (["BF16/m.gguf", "Q2_K/m.gguf"], "q2_k", "Q2_K/m.gguf"),
        (["it-q4_0.gguf", "pt-q4_0.gguf"], "pt-q4_0", "pt-q4_0.gguf"),
    ],
)
def test_the_quant_is_the_one_that_llama_cpp_would_take(
    paths: list[str], quant: str, expected: str
) -> None:
    assert chosen(files(*paths), quant)[0] == expected


def test_all_parts_of_a_split_model_are_taken_in_their_order() -> None:
    parts = [f"Q4_K_M/m-Q4_K_M-0000{number}-of-00003.gguf" for number in (3, 1, 2)]
    assert chosen(files("m-Q8_0.gguf", *parts)) == sorted(parts)
    by_part = Asked("user/repo", file=parts[0])
    assert [file.path for file in choose(files(*parts), by_part, None).files] == sorted(parts)


def test_a_split_model_that_lacks_a_part_is_none() -> None:
    part = "m-Q4_K_M-00001-of-00002.gguf"
    assert chosen(files(part, "m-Q2_K.gguf")) == ["m-Q2_K.gguf"]
    with pytest.raises(DownloadFailedError, match="not all its parts"):
        choose(files(part), Asked("user/repo", file=part), None)


@pytest.mark.parametrize(
    ("projectors", "expected"),
    [
        (["mmproj-F32.gguf", "mmproj-F16.gguf", "mmproj-Q8_0.gguf"], "mmproj-Q8_0.gguf"),
        (["mmproj-F16.gguf", "a/mmproj-F32.gguf"], "a/mmproj-F32.gguf"),
        (["b/mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F32.gguf"),
        (["gemma-mmproj-F16.gguf"], "gemma-mmproj-F16.gguf"),
    ],
)
def test_the_projector_is_the_nearest_in_place_and_then_in_bits(
    projectors: list[str], expected: str
) -> None:
    assert chosen(files("a/m-Q4_K_M.gguf", *projectors)) == ["a/m-Q4_K_M.gguf", expected]


def test_a_projector_of_another_folder_is_none_of_the_model() -> None:
    assert chosen(files("a/m-Q4_K_M.gguf", "b/mmproj-F16.gguf")) == ["a/m-Q4_K_M.gguf"]


def quants(available_gib: float) -> tuple[str, tuple[str, ...]]:
    listed = [
        HubFile(f"m-{quant}.gguf", int(gib * GIB), "0" * 64)
        for quant, gib in (("F16", 16), ("Q8_0", 8), ("Q4_K_M", 5), ("Q3_K_M", 4), ("Q2_K", 3))
    ]
    choice = choose(listed, Asked("user/repo"), int(available_gib * GIB))
    return choice.quant, choice.notes


def test_what_does_not_fit_is_stepped_down_to_the_largest_that_does_and_a_note_says_so() -> None:
    assert quants(32) == ("Q4_K_M", ())
    quant, (note,) = quants(5)
    assert quant == "Q3_K_M"
    assert note == (
        "Q4_K_M (5.0 GiB) would not fit into the 5.0 GiB of memory that are available, so Q3_K_M "
        "is taken."
    )
    quant, (note,) = quants(1)
    assert quant == "Q2_K" and note.startswith("None fits into the 1.0 GiB of memory")


def test_a_quant_that_is_named_is_taken_whether_it_fits_or_not() -> None:
    listed = files("m-Q8_0.gguf", "m-Q2_K.gguf")
    assert choose(listed, Asked("user/repo", "Q8_0"), 1).quant == "Q8_0"


def test_the_projector_counts_for_what_fits() -> None:
    sizes = {"m-Q4_K_M.gguf": 4, "m-Q2_K.gguf": 2, "mmproj-F16.gguf": 2}
    assert choose(hub_files(**sizes), Asked("user/repo"), 5 * GIB).quant == "Q2_K"


def test_a_quant_that_is_not_there_is_answered_with_those_that_are_and_their_sizes() -> None:
    listed = files(
        "m-Q8_0.gguf", "m-UD-Q2_K_XL-00001-of-00002.gguf", "m-UD-Q2_K_XL-00002-of-00002.gguf"
    )
    with pytest.raises(DownloadFailedError) as raised:
        choose(listed, Asked("user/repo", "Q5_K_M"), None)
    assert str(raised.value) == (
        "user/repo has no quant Q5_K_M. It has: Q8_0 (1.0 GiB), UD-Q2_K_XL (2.0 GiB). Pass one of "
        "them as user/repo:QUANT."
    )


def test_every_quant_that_is_named_can_be_asked_for() -> None:
    paths = ("it-Q4_0.gguf", "pt-Q4_0.gguf", "m-BF16.gguf", "odd.gguf", "x/m-IQ4_XS.gguf")
    listed = files(*paths)
    first = choose(listed, Asked("user/repo"), None)
    for other in first.others:
        assert chosen(listed, other.quant) == [other.files[0].path]


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["model.safetensors"], "has no GGUF file, only weights for other programs"),
        (["README.md"], "has no GGUF file, and"),
        ([], "has no GGUF file, and"),
        (["mmproj-F16.gguf"], "has no whole model, only .*: mmproj-F16.gguf"),
        (["m-00001-of-00002.gguf"], "has no whole model, only .*: m-00001-of-00002.gguf"),
    ],
)
def test_a_repository_without_a_model_is_told_with_what_to_search(
    paths: list[str], said: str
) -> None:
    with pytest.raises(DownloadFailedError, match=said) as raised:
        choose(files(*paths), Asked("user/Some-Model"), None)
    assert "search the hub for `Some-Model GGUF`" in str(raised.value)


def test_a_companion_of_a_model_comes_with_what_it_is_for() -> None:
    asked = Asked("user/repo", file="mmproj-F16.gguf")
    choice = choose(files("m-Q8_0.gguf", "mmproj-F16.gguf"), asked, None)
    assert "mmproj-F16.gguf is no model by itself" in choice.notes[0]


def test_a_file_that_is_named_is_taken_and_one_that_is_not_there_is_answered_with_the_list() -> (
    None
):
    listed = files("m-Q8_0.gguf", "m-Q4_K_M.gguf", "mmproj-F16.gguf")
    assert chosen(listed, file="M-q8_0.gguf") == ["m-Q8_0.gguf", "mmproj-F16.gguf"]
    assert chosen(listed, file="mmproj-F16.gguf") == ["mmproj-F16.gguf"]
    with pytest.raises(DownloadFailedError, match="has no file x.gguf .*m-Q8_0.gguf, m-Q4_K_M"):
        choose(listed, Asked("user/repo", file="x.gguf"), None)
