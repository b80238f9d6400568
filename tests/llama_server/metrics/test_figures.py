"""llama-server's Prometheus text as figures: what it says, and that nothing is invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.api.metrics_text import parse_exposition
from llama_mcp.llama_server.metrics.figures import (
    LlamaServerFigures,
    figures_of,
    missing_figures,
)

# As b11434 wrote it after two turns; help lines left out.
TEXT = """\
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 75
# TYPE llamacpp:prompt_tokens_cached_total counter
llamacpp:prompt_tokens_cached_total 25
# TYPE llamacpp:prompt_seconds_total counter
llamacpp:prompt_seconds_total 0.5
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 60
# TYPE llamacpp:tokens_predicted_seconds_total counter
llamacpp:tokens_predicted_seconds_total 4
# TYPE llamacpp:prompt_tokens_seconds gauge
llamacpp:prompt_tokens_seconds 999
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 999
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 2
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 1
"""
SAMPLES = dict(parse_exposition(TEXT).samples)
ALL_TOLD = {
    "prompt_tokens_total": 75,
    "cached_prompt_tokens_total": 25,
    "generated_tokens_total": 60,
    "requests_processing": 2,
    "requests_deferred": 1,
    "cache_hit_share": 0.25,
    "prompt_tokens_per_second": 150,
    "generated_tokens_per_second": 15,
}


def without(*names: str) -> dict[str, float]:
    return {name: value for name, value in SAMPLES.items() if name not in names}


def test_the_text_is_read_as_figures_with_our_names() -> None:
    assert parse_exposition(TEXT).is_valid
    assert figures_of(SAMPLES, None) == ALL_TOLD
    assert missing_figures(SAMPLES) == []


def test_every_figure_is_a_field_of_the_metrics() -> None:
    metrics = LlamaServerFigures.model_validate({"state": "ready", **figures_of(SAMPLES, {})})
    assert metrics.model_dump(include=set(ALL_TOLD)) == ALL_TOLD
    assert set(missing_figures({})) <= set(LlamaServerFigures.model_fields)


def test_rates_of_now_are_the_difference_of_two_readings() -> None:
    earlier = SAMPLES | {
        "prompt_tokens_total": 65,
        "prompt_seconds_total": 0.25,
        "tokens_predicted_total": 40,
        "tokens_predicted_seconds_total": 3.5,
    }
    told = figures_of(SAMPLES, earlier)
    assert told["prompt_tokens_per_second_now"] == 40
    assert told["generated_tokens_per_second_now"] == 40


def test_when_nothing_was_generated_in_between_there_is_no_rate_of_now() -> None:
    told = figures_of(SAMPLES, SAMPLES)
    assert not [name for name in told if name.endswith("_now")]


def test_a_rate_beyond_every_number_is_left_out() -> None:
    assert "prompt_tokens_per_second" not in figures_of(
        SAMPLES | {"prompt_seconds_total": 5e-324}, {}
    )


def test_counters_that_began_anew_give_no_rate_of_now() -> None:
    later = SAMPLES | {"tokens_predicted_total": 1, "tokens_predicted_seconds_total": 0.1}
    assert "generated_tokens_per_second_now" not in figures_of(later, SAMPLES)


def test_the_gauges_stand_in_where_there_are_no_counters() -> None:
    old = without("prompt_seconds_total", "tokens_predicted_seconds_total")
    told = figures_of(old, old)
    assert told["generated_tokens_per_second_now"] == 999
    assert "generated_tokens_per_second" not in told
    missing = missing_figures(old)
    assert missing == ["prompt_tokens_per_second", "generated_tokens_per_second"]


def test_a_gauge_of_zero_says_that_nothing_was_generated() -> None:
    idle = without("tokens_predicted_seconds_total") | {"predicted_tokens_seconds": 0}
    assert "generated_tokens_per_second_now" not in figures_of(idle, None)


def test_a_name_that_is_not_there_is_named_as_missing_and_nothing_is_put_in_its_place() -> None:
    old = without("prompt_tokens_cached_total", "requests_deferred")
    told = figures_of(old, None)
    assert told == {
        name: value
        for name, value in ALL_TOLD.items()
        if name not in ("cached_prompt_tokens_total", "requests_deferred", "cache_hit_share")
    }
    missing = missing_figures(old)
    assert missing == ["cached_prompt_tokens_total", "requests_deferred", "cache_hit_share"]


def test_an_unused_llama_server_has_counts_but_neither_rates_nor_a_share() -> None:
    unused = dict.fromkeys(SAMPLES, 0.0)
    assert figures_of(unused, None) == {
        "prompt_tokens_total": 0,
        "cached_prompt_tokens_total": 0,
        "generated_tokens_total": 0,
        "requests_processing": 0,
        "requests_deferred": 0,
    }
    assert missing_figures(unused) == []


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_a_value_that_counts_nothing_is_left_out(value: str) -> None:
    samples = parse_exposition(f"llamacpp:requests_deferred {value}\n").samples
    assert "requests_deferred" in missing_figures(samples)


def test_a_name_with_several_samples_is_left_out() -> None:
    text = 'llamacpp:requests_deferred{m="a"} 1\nllamacpp:requests_deferred{m="b"} 2\n'
    assert parse_exposition(text).samples == {}


def test_a_broken_text_gives_the_series_that_are_whole_before_the_fault() -> None:
    read = parse_exposition(TEXT + "<html>oops</html>\n")
    assert not read.is_valid
    assert read.samples == without("requests_deferred")


def test_a_label_that_the_parser_stumbles_over_makes_a_broken_text() -> None:
    assert not parse_exposition("a{=, =oEan-.H#,Y\\t.e{-}\\be").is_valid


@given(st.text() | st.text(st.sampled_from('# TYPEHLcounter{}="\\,\n+-.1ab:e')))
def test_any_text_at_all_can_be_read(text: str) -> None:
    samples = parse_exposition(text).samples
    LlamaServerFigures.model_validate({"state": "ready", **figures_of(samples, samples)})
