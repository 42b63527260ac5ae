"""The configuration file: what of it can be used, what is wrong with the rest, and who can read its secrets."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any, Final, cast

from bankbridge.doctor.checks import Check, Examination, ok, plural, problem, warning
from bankbridge.registry import plugins
from bankbridge.shells.config import Usable, usable_of

NAME: Final = "configuration"

# What to do about a problem, by the words that `bankbridge.shells.config` and the plugins say it in.
_REMEDIES: Final[tuple[tuple[str, str], ...]] = (
    (
        r"environment variable (\w+) is not set",
        r"set \1 where this runs, for instance in its unit file, and run the doctor there",
    ),
    (r"(\S+) cannot be read", r"see that \1 is there, and that who runs this may read it"),
    (r"no such plugin is installed; did you mean", "mend the name"),
    (r"no such plugin is installed", "install its plugin, or mend the name"),
    (r"brought by two plugins", "uninstall one of the two"),
)


def examine_configuration(
    document: Mapping[str, Any], path: Path, environ: Mapping[str, str]
) -> Examination[Usable]:
    """Each problem in a line of its own; what can be used all the same, is handed on."""
    usable = usable_of(document, environ)
    for said in usable.problems:
        yield problem(NAME, said, _remedy(said, path))
    if not usable.problems:
        yield ok(NAME, f"{path}: {plural(len(usable.providers), 'connection')}, nothing wrong with it")
    yield from _plugins(usable)
    yield from _secret_files(document, path, usable)
    return usable


def concerns(said: str, path: str) -> bool:
    """Whether a problem is about the setting at ``path``, or about one below it."""
    return re.match(re.escape(path) + r"(?![\w-])", said) is not None


def _remedy(said: str, path: Path) -> str:
    for pattern, remedy in _REMEDIES:
        if found := re.search(pattern, said):
            return found.expand(remedy)
    return f"mend it in {path}; docs/how-to/configure.md shows a whole one"


def _plugins(usable: Usable) -> Iterator[Check]:
    modules = packages_distributions()
    installed = plugins()
    if not installed:
        yield problem("plugins", "none is installed", "pip install bankbridge-rail or bankbridge-fintoc")
        return
    used = {provider.name for provider in usable.providers.values()}
    said: list[str] = []
    for name, plugin in installed.items():
        module = plugin.provider.__module__.partition(".")[0]
        said.append(
            f"{name} {_version(modules.get(module, [module])[0])}{'' if name in used else ' (not used)'}"
        )
    yield ok("plugins", f"bankbridge {_version('bankbridge')}, with {', '.join(said)}")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a plugin that is not installed as a package, such as a test's
        return "(no version)"


# --- who can read the secrets ----------------------------------------------------------------------------


def _secret_files(document: Mapping[str, Any], path: Path, usable: Usable) -> Iterator[Check]:
    if os.name == "nt":  # pragma: no cover (rights are told otherwise there)
        return
    looked_at = list(_named_files(document))
    if _holds_secret(path, usable):
        looked_at.append(path)
    public = [file for file in looked_at if _public(file)]
    for file in public:
        what = f"{file} holds a secret, and every user of this machine can read it"
        yield warning("secret files", what, f"chmod o-rwx {file}")
    if looked_at and not public:
        yield ok("secret files", f"{plural(len(looked_at), 'file')} with secrets, closed to other users")


def _named_files(value: object) -> Iterator[Path]:
    match value:
        case {"file": str(name)}:
            yield Path(name)
        case dict():
            for inner in cast(dict[str, object], value).values():
                yield from _named_files(inner)
        case list():
            for inner in cast(list[object], value):
                yield from _named_files(inner)
        case _:
            pass


def _holds_secret(path: Path, usable: Usable) -> bool:
    secrets = [secret for provider in usable.providers.values() for secret in provider.secrets]
    if usable.store is not None:
        secrets += [*usable.store.keys, usable.store.url or ""]
    text = path.read_text(encoding="utf-8")
    return any(secret in text for secret in secrets if len(secret) > len("unset"))


def _public(file: Path) -> bool:
    """Whether everybody may read it: it itself, and go through all the folders to it."""
    try:
        folders = [folder.stat().st_mode & stat.S_IXOTH for folder in file.resolve().parents]
        return bool(file.stat().st_mode & stat.S_IROTH) and all(folders)
    except OSError:
        return False  # it cannot be read by us, which has been said
