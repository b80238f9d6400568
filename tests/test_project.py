"""What pyproject.toml says of platforms and Pythons is what the forge's workflow runs."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = (REPOSITORY / ".github" / "workflows" / "checks.yml").read_text(encoding="utf-8")
PYTHON = "Programming Language :: Python :: 3."


def test_the_classifiers_name_the_pythons_that_the_workflow_runs() -> None:
    named = [text for text in PROJECT["classifiers"] if text.startswith(PYTHON)]
    versions = re.findall(r'"(3\.\d+)"', WORKFLOW.split("python: [", 1)[1].split("]", 1)[0])
    assert [text.rsplit(" ", 1)[1] for text in named] == versions


def test_the_oldest_python_that_the_workflow_runs_is_the_oldest_that_is_allowed() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert 'python: ["3.11", ' in WORKFLOW


def test_the_workflow_uses_no_other_actions_than_the_forge_s_own() -> None:
    actions = re.findall(r"uses: ([\w/-]+)@", WORKFLOW)
    assert set(actions) == {"actions/checkout", "actions/setup-python"}
