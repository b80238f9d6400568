"""Names of files that hold secrets: `.env`, keys, tokens, folders of programs that keep them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

DEFAULT = "default"
# A name alone counts for files and folders at any depth; a leading `!` takes names out again.
DEFAULT_SECRETS = (
    *(".env", ".env.*", "*.env", ".envrc", "!.env.example", "!.env.sample", "!.env.template"),
    *(".ssh", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.ppk", "!*.pub"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.kdb"),
    *(".gnupg", ".password-store", ".vault-token", "*.gpg", "*.age"),
    *(".aws", ".azure", ".kube", ".docker", ".dockercfg", ".config/gcloud", "kubeconfig"),
    *(".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc", ".pypirc", ".htpasswd"),
    *(".git-credentials", ".git/config", ".config/gh", ".cargo/credentials*", ".gem/credentials"),
    *("credentials", "credentials.*", "client_secret*.json", "service-account*.json"),
    *("secrets.json", "secrets.yml", "secrets.yaml", "secrets.toml", "secrets.env"),
    *("*.tfstate", "*.tfstate.*", "*.tfvars", ".*_history"),
    *("cookies.sqlite", "key4.db", "logins.json", "Login Data", "*.keychain-db"),
)


@dataclass(frozen=True)
class SecretPatterns:
    """Patterns of names; the last one that matches a name counts."""

    patterns: tuple[str, ...] = DEFAULT_SECRETS

    def matching(self, parts: Sequence[str]) -> str | None:
        """Return the pattern that makes a path secret, or the folder in which it lies; else None.

        Args:
            parts: the path below the folder that is open to callers, part by part.
        """
        plain = [_plain(part) for part in parts]
        for depth in range(1, len(plain) + 1):
            if pattern := self._last_match(plain[:depth]):
                return pattern
        return None

    def _last_match(self, parts: Sequence[str]) -> str | None:
        last = None
        for pattern, expression, length in self._compiled:
            if expression.match("/".join(parts[-length:])):
                last = None if pattern.startswith("!") else pattern
        return last

    @cached_property
    def _compiled(self) -> list[tuple[str, re.Pattern[str], int]]:
        plain = [(pattern, _plain(pattern.removeprefix("!"))) for pattern in self.patterns]
        return [
            (pattern, re.compile(translate(text)), text.count("/") + 1) for pattern, text in plain
        ]


def patterns_of(setting: Sequence[str] | None) -> SecretPatterns:
    """Return the patterns that an operator asks for; `default` among them means the usual ones."""
    words = (DEFAULT,) if setting is None else setting
    each = (DEFAULT_SECRETS if word.casefold() == DEFAULT else (word,) for word in words)
    return SecretPatterns(tuple(pattern for patterns in each for pattern in patterns))


def _plain(name: str) -> str:
    """Return a name as the most forgiving file system reads it: any case, nothing unseen."""
    seen = (c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return "".join(seen).casefold().rstrip(". ") or name
