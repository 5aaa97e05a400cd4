"""``--config F.toml``: options of verbs from a file, for whatever the command line itself leaves open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from neurodeploy.errors import UserError

#: The table of options that hold for every verb that has them.
ALL = "all"


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the file's tables ``[all]`` and ``[VERB]`` the defaults of this call. Runs before other options are read.

    A key is the name of an option without its dashes ("max-tokens"), or of an argument ("bundle"). Raises ND1113 for a file
    that is not such a table, for a key that the verb does not have (in ``[all]``: that no verb has), and for a second file
    inside the file.
    """
    if path is None:
        return None
    verb = str(context.info_name)
    tables = _tables(path)
    commands = context.parent.command.commands if context.parent is not None else {}  # type: ignore[attr-defined]
    known = {name: _keys(command) for name, command in commands.items()}
    if unknown := [name for name in tables if name not in (*known, ALL)]:
        raise _wrong(
            path, f"has a table [{unknown[0]:.40}], which is no verb", f"use {ALL} or a verb: {', '.join(known)}"
        )
    every = {key for keys in known.values() for key in keys}
    for name, table in tables.items():
        keys = every if name == ALL else set(known[name])
        for key in table:
            if key.replace("_", "-") not in keys:
                fix = f"choose one of {', '.join(sorted(keys))}" if name != ALL else "see neurodeploy VERB --help"
                raise _wrong(path, f"has {key:.40} in [{name}], which is no option of it", fix)
    own = known.get(verb, {})
    found = {**tables.get(ALL, {}), **tables.get(verb, {})}
    context.default_map = {
        own[key.replace("_", "-")]: value for key, value in found.items() if key.replace("_", "-") in own
    }
    return path


def _keys(command: Any) -> dict[str, str]:
    """Names of a command's options and arguments as a file spells them: the parameter of each."""
    found = dict[str, str]()
    for parameter in command.params:
        if parameter.name in ("config", "help", "as_json"):  # what the caller reads is for the caller to say
            continue
        spelled = [name[2:] for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--")]
        found |= dict.fromkeys([spelled[0] if spelled else parameter.name], parameter.name)
    return found


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    fix = "write tables such as [energy] with lines such as tokens = 32"
    try:
        found: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}", "name a file that you may read") from None
    except ValueError as error:  # TOML that is none, and bytes that are no UTF-8
        raise _wrong(path, f"is no TOML: {error!s:.200}", fix) from None
    for name, table in found.items():
        if not isinstance(table, dict):
            raise _wrong(path, f"has {name:.40} outside of a table", fix)
    return found


def _wrong(path: Path, problem: str, fix: str) -> UserError:
    return UserError("ND1113", path, problem, fix)
