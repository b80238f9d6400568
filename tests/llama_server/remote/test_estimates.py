"""Tokens estimated where nobody counts, and corrected by what the engine has read."""

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.remote.estimates import KNOWN_PROMPTS, TokenEstimates

PROSE = "The window is an estimate, and so is the number of tokens in it. " * 40


def said(*texts: str) -> list[dict[str, str]]:
    roles = ["user", "assistant"]
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


def test_at_first_a_token_stands_for_three_bytes_at_the_most() -> None:
    messages = said(PROSE)
    assert len(PROSE) / 3 < TokenEstimates().estimate(messages) < len(PROSE) / 2.5


def test_scripts_that_tokenizers_know_less_of_count_for_more() -> None:
    estimates = TokenEstimates()
    # What tokenizers made for English make of it: one and a half tokens a character.
    assert estimates.estimate(said("漢字" * 1000)) > 2000 * 1.5


def test_a_prompt_that_begins_with_one_that_was_read_is_estimated_by_that() -> None:
    estimates = TokenEstimates()
    assert estimates.learn(said(PROSE), 600) is None
    longer = said(PROSE, "Yes.", "And now?")
    assert 600 < estimates.estimate(longer) < 660


def test_other_prompts_are_estimated_by_the_densest_of_the_latest() -> None:
    estimates = TokenEstimates()
    before = estimates.estimate(said(PROSE))
    estimates.learn(said(PROSE + "a"), 600)
    with_margin = estimates.estimate(said(PROSE + "b"))
    assert 600 < with_margin < before
    estimates.learn(said(PROSE + "c"), 2000)
    assert estimates.estimate(said(PROSE + "d")) > 2000


def test_what_is_learned_is_bounded() -> None:
    estimates = TokenEstimates()
    for number in range(2 * KNOWN_PROMPTS):
        estimates.learn(said(f"Number {number}"), 10)
    assert len(estimates._known) == KNOWN_PROMPTS


def test_a_count_that_is_too_small_for_the_prompt_is_told_and_not_learned() -> None:
    estimates = TokenEstimates()
    estimates.learn(said(PROSE), 600)
    longer = said(PROSE, "Yes.", PROSE)
    before = estimates.estimate(longer)
    remark = estimates.learn(longer, 610)
    assert remark is not None and "read 610 tokens" in remark
    assert estimates.estimate(longer) == before


def test_a_first_prompt_with_far_too_few_tokens_is_told() -> None:
    assert TokenEstimates().learn(said(PROSE * 4), 200) is not None


def test_pictures_teach_nothing() -> None:
    estimates = TokenEstimates()
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    assert estimates.learn(picture, 3) is None
    assert estimates.estimate(picture) > 1000


@given(st.lists(st.text(max_size=200), max_size=6), st.integers(0, 10_000))
def test_no_text_and_no_count_breaks_it(texts: list[str], tokens: int) -> None:
    estimates = TokenEstimates()
    estimates.learn(said(*texts), tokens)
    assert estimates.estimate(said(*texts, "more")) > 0
