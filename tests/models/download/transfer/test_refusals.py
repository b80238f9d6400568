"""What the hub's refusals mean, and how long it is waited after them."""

from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime

import pytest

from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import (
    BusyHubError,
    CutOffError,
    DownloadFailedError,
    WrongContentError,
)
from llama_mcp.models.download.records import Progress
from llama_mcp.models.download.transfer.hub import is_private_way
from llama_mcp.models.download.transfer.patience import (
    FIRST_SECONDS,
    LONGEST_SECONDS,
    TRIES,
    Patience,
)
from llama_mcp.models.download.transfer.refusals import Token, refusal

HUB = "https://huggingface.co"
STRANGER, KNOWN, WITHHELD = Token(False, False), Token(True, False), Token(False, True)


def refused(status: int, token: Token = STRANGER, **headers: str) -> Exception:
    message = Message()
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return refusal(status, message, Asked("user/repo", revision="v2"), HUB, token)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (refused(401, X_Error_Code="GatedRepo"), "accept the terms at https://huggingface.co/user"),
        (refused(403, KNOWN, X_Error_Code="GatedRepo"), "call again once access is granted"),
        (refused(403, KNOWN, X_Error_Message="This is a gated repo"), "is gated"),
        (refused(401, WITHHELD, X_Error_Code="GatedRepo"), "it was not sent, because"),
        (refused(401, X_Error_Code="RepoNotFound"), "knows no user/repo, or it is private"),
        (refused(404, KNOWN, X_Error_Code="RepoNotFound"), "does not open it"),
        (refused(404, WITHHELD), "No token was sent"),
        (refused(401, KNOWN, X_Error_Message="Invalid credentials"), "does not take the token"),
        (refused(404, X_Error_Code="RevisionNotFound"), "has no revision v2"),
        (refused(404, X_Error_Code="EntryNotFound"), "that it does not give"),
        (refused(451, X_Error_Message="For legal\nreasons"), 'status 451: "For legal\\nreasons"'),
        (refused(400), "with status 400. Look at its page"),
    ],
)
def test_a_refusal_is_told_in_words_with_a_next_step(failure: Exception, said: str) -> None:
    assert isinstance(failure, DownloadFailedError)
    assert said in str(failure)


def asked_patience(**headers: str) -> float | None:
    failure = refused(429, STRANGER, **headers)
    assert isinstance(failure, BusyHubError)
    return failure.wait_seconds


def test_a_hub_that_limits_says_how_long_in_any_of_its_ways() -> None:
    assert asked_patience(Retry_After="7") == 7
    assert asked_patience(RateLimit='"api";r=0;t=123') == 123
    assert asked_patience() is None
    assert asked_patience(Retry_After="soon") is None
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3000 < (asked_patience(Retry_After=date) or 0) <= 3600
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    assert asked_patience(Retry_After=past) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429])
def test_what_may_come_right_is_worth_another_try(status: int) -> None:
    assert isinstance(refused(status), BusyHubError)


def test_a_part_that_the_hub_does_not_have_is_content_that_is_wrong() -> None:
    assert isinstance(refused(416), WrongContentError)


def test_it_is_waited_longer_each_time_and_not_for_ever() -> None:
    slept: list[float] = []
    patience = Patience("m", sleep=slept.append)
    with pytest.raises(
        DownloadFailedError, match=f"m was not fetched: cut, {TRIES} times in a row"
    ):
        for _ in range(TRIES):
            patience.wait_after(CutOffError("cut"), Progress())
    assert slept[:3] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS]
    assert max(slept) == LONGEST_SECONDS and len(slept) == TRIES - 1


def test_what_brings_something_each_time_goes_on_as_long_as_it_does() -> None:
    slept: list[float] = []
    patience = Patience("m", sleep=slept.append)
    for _ in range(10 * TRIES):
        patience.wait_after(CutOffError("cut"), Progress(), has_come=True)
    assert set(slept) == {FIRST_SECONDS}


def test_it_is_waited_as_long_as_the_hub_asks_for_unless_that_is_too_long() -> None:
    slept: list[float] = []
    patience = Patience("m", sleep=slept.append)
    patience.wait_after(BusyHubError("busy", 120), Progress())
    assert slept == [120]
    with pytest.raises(DownloadFailedError, match="asked again in 2 h"):
        patience.wait_after(BusyHubError("busy", 7200), Progress())


@pytest.mark.parametrize(
    ("address", "is_private"),
    [
        ("https://huggingface.co", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://localhost/x", True),
        ("http://mirror.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
    ],
)
def test_a_token_goes_over_plain_http_within_this_machine_only(
    address: str, is_private: bool
) -> None:
    assert is_private_way(address) is is_private
