"""docs/clients.md says which programs are tried, in which version, and what is promised of each."""

from clients.programs.all_programs import PROGRAMS
from clients.trials.judging import COLUMNS, OK

from tests.test_docs import DOCS, tables, text_of

PAGE = DOCS / "clients.md"


def test_the_page_lists_the_programs_that_are_tried_in_their_versions_and_by_which_command() -> (
    None
):
    rows = next(tables(text_of(PAGE, "What was tried")))
    commands = {True: "`sh scripts/clients`", False: "`sh scripts/clients --all`"}
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        (program.name, program.version, commands[program.is_light]) for program in PROGRAMS
    ]


def test_the_pages_columns_are_the_promises_that_are_judged() -> None:
    head = next(line for line in text_of(PAGE, "What was tried").splitlines() if "| client" in line)
    assert [cell.strip() for cell in head.strip("|").split("|")][2:-1] == list(COLUMNS)
    for row in next(tables(text_of(PAGE, "What was tried"))):
        assert row[3:6] == [OK, OK, OK] and row[6:8] == ["nothing left", "nothing left"]


def test_every_example_is_shown_on_a_page() -> None:
    examples = DOCS.parent / "examples"
    shown = "".join(map(text_of, [*DOCS.glob("*.md"), DOCS.parent / "README.md"]))
    assert {file.name for file in examples.iterdir() if file.name not in shown} == set()
