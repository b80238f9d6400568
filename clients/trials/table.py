"""Tries programs side by side and prints a row for each as it comes."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

from clients.programs.program import Program
from clients.trials.judging import COLUMNS
from clients.trials.trying import Outcome, Trial, try_program
from clients.trials.verdict import is_failure, is_unjudged, remarks

ROW = "{:<18} {:<9} {:>7} {:>5}  {:<24}  {:<7} {:<7} {:<18} {:<13} {}"


def try_programs(programs: Iterable[Program], trial: Trial, pool: Executor) -> Iterator[str]:
    """Try each program; print the table, yield what went wrong.

    A program whose packages cannot be had is skipped, and its row says why. Below a row stands
    what was not as promised in runs that were made again.
    """
    print(ROW.format("program", "version", "install", "run", *COLUMNS), flush=True)
    for outcome in pool.map(lambda program: try_program(program, trial), programs):
        told = [line for attempts in outcome.attempts for line in remarks(attempts)]
        if any(map(is_unjudged, outcome.attempts)):
            told.append("    not judged: the machine had no time for it")
        print("\n".join([_row(outcome), *told]), flush=True)
        errors = list(_errors(outcome))
        if errors:
            yield "\n".join([f"{outcome.program.name}:", *errors])


def _row(outcome: Outcome) -> str:
    program = outcome.program
    if outcome.skipped:
        return f"{program.name:<18} {program.version:<9} skipped, {outcome.skipped}"
    seconds = [f"{round(each)} s" for each in (outcome.install_seconds, outcome.run_seconds)]
    cells = dict.fromkeys(COLUMNS, "FAILED" if outcome.broke else "not run")
    for attempts in outcome.attempts:
        bad = "busy" if is_unjudged(attempts) else "FAILED"
        for finding in attempts[-1].found:
            cells[finding.column] = finding.said if finding.is_right else bad
    return ROW.format(program.name, program.version, *seconds, *cells.values())


def _errors(outcome: Outcome) -> Iterator[str]:
    if outcome.broke:
        yield outcome.broke
    for attempts in outcome.attempts:
        if is_failure(attempts):
            for attempt in attempts:
                yield from (attempt.wrong(), *attempt.seen)
