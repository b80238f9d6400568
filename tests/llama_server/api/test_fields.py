"""What a llama-server may send in the place of a number or an object."""

import pytest

from llama_mcp.llama_server.api.fields import MAX_COUNT, count_or_none, member


@pytest.mark.parametrize("value", [None, True, -1, 1.5, "4", [4], {}, MAX_COUNT, 10**400])
def test_what_cannot_be_a_count_is_none(value: object) -> None:
    assert count_or_none(value) is None


def test_a_count_is_itself() -> None:
    assert [count_or_none(value) for value in (0, 4, MAX_COUNT - 1)] == [0, 4, MAX_COUNT - 1]


@pytest.mark.parametrize("value", [None, [], "prompt", 5, {}, {"other": 1}])
def test_a_member_of_what_has_none_is_none(value: object) -> None:
    assert member(value, "prompt") is None
