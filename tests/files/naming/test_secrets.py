"""Which names are secret."""

import pytest

from llama_mcp.files.naming.secrets import SecretPatterns, patterns_of


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".env",
            ".ENV",
            ".env.production",
            "prod.env",
            "app/.env",
            ".e\u200bnv",
            "．env",
            ".env. ",
        ),
        *(".ssh/known_hosts", "backup/.ssh/id", "id_rsa", "id_ed25519.old", "server.pem", "A.KEY"),
        *(".aws/credentials", ".kube/config", ".config/gcloud/x", ".git/config", "sub/.git/config"),
        *(
            ".netrc",
            "credentials.json",
            "terraform.tfstate",
            ".bash_history",
            ".docker/config.json",
        ),
    ],
)
def test_names_of_secrets_are_known_in_any_spelling(path: str) -> None:
    assert SecretPatterns().matching(path.split("/"))


@pytest.mark.parametrize(
    "path",
    [
        *(".env.example", ".env.sample", "id_rsa.pub", "environment.py", "keys.py", "env", "a.txt"),
        *("gcloud/x", ".gitignore", ".git/HEAD", "src/credentials_test.py", "monkey.txt"),
    ],
)
def test_other_names_are_not(path: str) -> None:
    assert SecretPatterns().matching(path.split("/")) is None


def test_an_operator_s_patterns_take_the_place_of_the_usual_ones_or_join_them() -> None:
    own = patterns_of(["*.private", "conf/token"])
    assert own.matching(["a.private"]) == "*.private"
    assert own.matching(["x", "conf", "token"]) == "conf/token"
    assert own.matching([".env"]) is None
    both = patterns_of(["default", "*.private", "!ca.pem"])
    assert both.matching(["server.pem"]) == "*.pem"
    assert both.matching(["ca.pem"]) is None
    assert patterns_of([]).matching([".env"]) is None
