"""What `scripts/clients` makes of the conformance suite's results."""

from typing import Any

from clients.conformance import judge

PASSED = [{"id": "ping", "status": "SUCCESS"}]
FAILED = [{"id": "ping", "status": "FAILURE", "errorMessage": "no answer"}]
NOTHING = [{"id": "wire-schema-valid", "status": "SUCCESS"}, {"id": "ping", "status": "SKIPPED"}]
REASON = {"ping": "llama-mcp does not offer it"}


def judged(checks: list[dict[str, Any]] | None, exceptions: dict[str, str]) -> list[str]:
    return judge({"ping"}, {} if checks is None else {"ping": checks}, exceptions)


def test_a_scenario_that_passes_is_no_matter() -> None:
    assert judged(PASSED, {}) == []


def test_a_scenario_that_fails_is_told_with_what_failed_in_it() -> None:
    assert judged(FAILED, {}) == ["ping: failed", "    ping: no answer"]


def test_a_scenario_that_checks_nothing_or_was_not_run_has_not_passed() -> None:
    assert judged(NOTHING, {}) == judged(None, {}) == ["ping: checked nothing"]


def test_an_exception_may_fail_but_not_pass() -> None:
    assert judged(FAILED, REASON) == judged(NOTHING, REASON) == []
    assert judged(PASSED, REASON) == ["ping is among the exceptions, but passes"]


def test_an_exception_that_is_no_scenario_is_told() -> None:
    assert judge(set(), {}, REASON) == ["ping is among the exceptions, but no scenario"]
