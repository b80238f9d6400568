"""Whose turn is next, whatever comes, goes and is taken in between."""

from collections import Counter
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.turns.fair_order import FairOrder

OWNERS = ("ann", "bob", "eve")
# To let something of an owner wait, to take what is next, or to let the owner's last wait no more.
ACTS = st.lists(
    st.tuples(st.sampled_from(["add", "take", "give up"]), st.sampled_from(OWNERS)), max_size=80
)


def test_one_that_asks_for_much_lets_others_go_between() -> None:
    order = FairOrder[str]()
    for number in range(3):
        order.add("ann", f"ann {number}")
    order.add("bob", "bob 0")
    assert list(order) == ["ann 0", "bob 0", "ann 1", "ann 2"]
    assert [order.take() for _ in range(4)] == ["ann 0", "bob 0", "ann 1", "ann 2"]
    assert not order


def test_who_was_served_last_is_behind_who_comes_afterwards() -> None:
    order = FairOrder[str]()
    order.note_served("ann")
    order.add("ann", "ann")
    order.add("bob", "bob")
    assert list(order) == ["bob", "ann"]


@given(ACTS)
def test_with_one_owner_who_comes_first_is_first(acts: list[tuple[str, str]]) -> None:
    order, line, numbers = FairOrder[int](), list[int](), count()
    for act, _ in acts:
        if act == "add":
            line.append(next(numbers))
            order.add("ann", line[-1])
        elif act == "take" and line:
            assert order.take() == line.pop(0)
        elif line:
            order.remove("ann", line.pop())
        assert list(order) == line


@given(ACTS)
def test_no_other_owner_goes_twice_before_one_that_waits(acts: list[tuple[str, str]]) -> None:
    order, numbers = FairOrder[tuple[str, int]](), count()
    waiting: dict[str, list[int]] = {owner: [] for owner in OWNERS}
    # What each owner that waits has seen of others since it was first in its own line.
    passed: dict[str, Counter[str]] = {owner: Counter() for owner in OWNERS}
    for act, owner in acts:
        if act == "add":
            number = next(numbers)
            order.add(owner, (owner, number))
            waiting[owner].append(number)
        elif act == "give up" and waiting[owner]:
            order.remove(owner, (owner, waiting[owner].pop()))
        elif act == "take" and order:
            expected = next(iter(order))
            taken, number = order.take()
            assert (taken, number) == expected
            assert number == waiting[taken].pop(0)
            passed[taken].clear()
            for other in OWNERS:
                passed[other][taken] += bool(waiting[other]) and other != taken
        for each in OWNERS:
            if not waiting[each]:
                passed[each].clear()
        assert all(most <= 1 for seen in passed.values() for most in seen.values())
        assert len(order) == sum(map(len, waiting.values()))


@given(ACTS)
def test_nobody_waits_for_ever(acts: list[tuple[str, str]]) -> None:
    order, numbers = FairOrder[tuple[str, int]](), count()
    for _, owner in acts:
        order.add(owner, (owner, next(numbers)))
    order.add("zoe", ("zoe", -1))
    # However many the others have, and however many more they bring meanwhile.
    for taken in count(1):
        owner, _ = order.take()
        if owner == "zoe":
            break
        order.add(owner, (owner, next(numbers)))
        assert taken <= len(OWNERS)
