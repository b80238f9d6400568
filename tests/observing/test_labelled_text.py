"""Texts of several llama-servers as one, held to the parser and to the rules of promtool."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from llama_mcp.observing.labelled_text import merged
from tests.llama_server.metrics.test_figures import TEXT

Labels = tuple[tuple[str, str], ...]


def samples_in(text: str) -> dict[tuple[str, Labels], float]:
    found = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert len(dict(found)) == len(found), "a series is there twice"
    return dict(found)


def check_rules(text: str) -> None:
    """Fail where `promtool check metrics` would: it wants each family whole, and told once."""
    assert not text or text.endswith("\n")
    kinds: dict[str, list[str]] = {}
    order: list[str] = []
    for line in text.splitlines():
        about = re.fullmatch(r"# (HELP|TYPE) (\S+) .+", line)
        name = about[2] if about else re.split(r"[{ ]", line)[0]
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        name = base if not about and base in kinds else name
        kinds.setdefault(name, []).append(about[1] if about else "sample")
        if not order or order[-1] != name:
            order.append(name)
    assert len(order) == len(set(order)), "a family is in several pieces"
    for name, found in kinds.items():
        assert found[0] in ("HELP", "TYPE"), name
        assert found.count("TYPE") == 1 and found.count("HELP") <= 1, name
        assert "sample" not in found[: found.index("TYPE")], name


def test_two_builds_give_one_valid_text_with_a_row_for_each() -> None:
    other = TEXT + (
        "# HELP llamacpp:new Only a newer build has it\n# TYPE llamacpp:new gauge\nllamacpp:new 3\n"
    )
    text = merged({"tiny": TEXT, "ünï/x": other})
    check_rules(text)
    found = samples_in(text)
    for name, labels in samples_in(TEXT):
        assert labels == ()
        assert {(name, (("model", each),)) for each in ("tiny", "ünï/x")} <= found.keys()
    assert found[("llamacpp:new", (("model", "ünï/x"),))] == 3
    assert len(found) == 2 * len(samples_in(TEXT)) + 1


def test_labels_values_and_times_of_theirs_are_kept() -> None:
    theirs = 'a{model="theirs",x="q\\"\\\\\\n"} 1.5e+3 1700000000123\na{x="2"} +Inf\na{x="3"} NaN\n'
    text = merged({'odd "name"\\\n': theirs})
    check_rules(text)
    (first, *_) = next(iter(text_string_to_metric_families(text))).samples
    assert first.labels == {"model": 'odd "name"\\\n', "exported_model": "theirs", "x": 'q"\\\n'}
    assert first.value == 1500 and first.timestamp == 1700000000.123
    assert "+Inf" in text and "NaN" in text


def test_a_histogram_stays_one_family_and_a_counter_keeps_its_name() -> None:
    theirs = (
        "# TYPE h histogram\n"
        'h_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'
        "# TYPE c counter\nc 7\n# TYPE d_total counter\nd_total 8\n"
    )
    text = merged({"a": theirs, "b": theirs})
    check_rules(text)
    (histogram, *_) = text_string_to_metric_families(text)
    assert histogram.type == "histogram" and len(histogram.samples) == 8
    assert 'c{model="a"} 7' in text and 'd_total{model="b"} 8' in text


def test_a_family_of_two_types_is_untyped_and_one_without_samples_is_left_out() -> None:
    text = merged({"a": "# TYPE x gauge\nx 1\n# TYPE none gauge\n", "b": "# TYPE x counter\nx 2\n"})
    check_rules(text)
    assert text.splitlines()[0] == "# TYPE x untyped" and "none" not in text


@pytest.mark.parametrize("texts", [{}, {"a": ""}, {"a": "# just a remark\n"}])
def test_nothing_gives_nothing(texts: Mapping[str, str]) -> None:
    assert merged(texts) == ""


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, unique=True))
def test_any_name_of_a_model_gives_a_text_that_is_read_back(names: list[str]) -> None:
    text = merged(dict.fromkeys(names, "# TYPE x gauge\nx 1\n"))
    assert {dict(labels)["model"] for _, labels in samples_in(text)} == set(names)
