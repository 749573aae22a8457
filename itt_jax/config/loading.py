"""Reading a study from a Python file, with overrides from the command line."""

import ast
import dataclasses
import difflib
import inspect
import pathlib
import runpy
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from itt_jax.config.study import Study
from itt_jax.config.validation import checked, require, validate
from itt_jax.errors import InputError, unknown
from itt_jax.tasks import Task


def load(path: str | pathlib.Path, overrides: Sequence[str] = ()) -> Study:
    """The validated study that a Python file defines as `study`, with `--set` overrides applied.

    `study` is a Study, or a function that makes one from keyword arguments with defaults. An override of such an
    argument ("small=True") is passed to the function.

    Raises:
        InputError: the file is missing, fails or defines no Study, or a field or an override is wrong.
    """
    study = _run(path).get("study")
    if inspect.isfunction(study):
        arguments = inspect.signature(study).parameters
        given = dict(_parsed(override) for override in overrides if override.partition("=")[0] in arguments)
        for name, value in given.items():
            kind = type(arguments[name].default)
            require(type(value) is kind, f"--set {name}: expected a {kind.__name__}, found {value!r}")
        overrides = [override for override in overrides if override.partition("=")[0] not in arguments]
        study = study(**given)
    if not isinstance(study, Study):
        raise InputError(f"config {path}: expected a variable 'study' of type Study, found {type(study).__name__}")
    for override in overrides:
        study = override_field(study, override)
    validate(study)
    return study


def load_tasks(path: str | pathlib.Path) -> tuple[tuple[Task, ...], Study | None]:
    """The user's tasks that a Python file defines, as `tasks` or in its `study`, and that study, if there is one.

    A file with `attacks` needs no tasks.

    Raises:
        InputError: the file is missing, fails or defines neither, or a task is wrong.
    """
    found = _run(path)
    if "study" in found:
        study = load(path)
        return study.tasks, study
    own = found.get("tasks", () if "attacks" in found else None)
    if not isinstance(own, list | tuple) or not all(isinstance(task, Task) for task in own):
        raise InputError(f"config {path}: expected a variable 'tasks', a tuple of Task, or a 'study'")
    names = [task.name for task in own]
    require(len(set(names)) == len(names), f"config {path}: tasks: a name occurs twice in {names}")
    for task in own:
        validate(task, f"config {path}: tasks.{task.name}")
    return tuple(own), None


def load_attacks(path: str | pathlib.Path, kind: type) -> tuple[Any, ...]:
    """The user's attacks that a Python file defines as `attacks`; empty if it defines none.

    Args:
        kind: the class of attacks (`attack.Attack`, which configs cannot import here).

    Raises:
        InputError: the file is missing or fails, or `attacks` holds something else.
    """
    own = _run(path).get("attacks", ())
    if not isinstance(own, list | tuple) or not all(isinstance(attack, kind) for attack in own):
        raise InputError(f"config {path}: attacks: expected a tuple of {kind.__name__}")
    names = [attack.name for attack in own]
    require(len(set(names)) == len(names), f"config {path}: attacks: a name occurs twice in {names}")
    return tuple(own)


def _run(path: str | pathlib.Path) -> dict[str, Any]:
    """The variables that a Python file defines.

    Raises:
        InputError: it is missing or fails.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        known = shipped()
        if str(path) not in known:
            near = difflib.get_close_matches(str(path), known, n=1)
            hint = f"did you mean {near[0]!r}? studies" if near else "studies"
            raise InputError(f"config {path}: no such file; {hint} that ship: {', '.join(known)}")
        path = known[str(path)]
    try:
        return runpy.run_path(str(path))
    except InputError:
        raise
    except Exception as error:  # whatever the user's file raises is the user's error
        line = next(
            (f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == str(path)), 0
        )
        line = getattr(error, "lineno", None) or line
        raise InputError(f"config {path}, line {line}: {type(error).__name__}: {error}") from error


def shipped() -> dict[str, pathlib.Path]:
    """The studies that ship with this software: name -> file. They are in the package, or beside it in a checkout."""
    package = pathlib.Path(__file__).parents[1]
    folder = package / "configs"
    if not folder.is_dir():
        folder = package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.py"))}


def override_field(study: Study, override: str) -> Study:
    """The study with one "path=value" applied.

    A path names fields, and elements of a tuple by index or by their `name` ("encoders.bert.layers=4",
    "targets.0.recipe.steps=100"). The value is a Python literal, or else a plain string. A scalar for a tuple field
    becomes a tuple of one.

    Raises:
        InputError: no such field, or a value that does not fit it.
    """
    path, value = _parsed(override)
    return _replaced(study, path.split("."), value, path)


def settings(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of every field of a study, the paths as `override_field` takes them."""
    if dataclasses.is_dataclass(node):
        children = [(field.name, getattr(node, field.name)) for field in dataclasses.fields(node)]
    elif isinstance(node, tuple) and any(dataclasses.is_dataclass(element) for element in node):
        names = [getattr(element, "name", str(i)) for i, element in enumerate(node)]
        unique = len(set(names)) == len(names)
        children = [(name if unique else str(i), node[i]) for i, name in enumerate(names)]
    else:
        yield path, node
        return
    for name, child in children:
        yield from settings(child, f"{path}.{name}" if path else name)


def _parsed(override: str) -> tuple[str, Any]:
    """Path and value of one override."""
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise InputError(f"--set {override!r}: expected PATH=VALUE, such as seeds=[0,1]")
    try:
        return path, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return path, text


def _replaced(node: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = {field.name: field for field in dataclasses.fields(node)}
        if key not in fields:
            raise unknown(f"field in --set {path}:", key, fields)
        new = _replaced(getattr(node, key), rest, value, path)
        if not rest:
            if isinstance(getattr(node, key), tuple) and not isinstance(new, list | tuple):
                new = (new,)
            new = checked(type(node), key, new, f"--set {path}")
        return dataclasses.replace(node, **{key: new})
    if isinstance(node, tuple):
        names = [getattr(element, "name", str(i)) for i, element in enumerate(node)]
        index = names.index(key) if key in names else int(key) if key.isdigit() and int(key) < len(node) else None
        if index is None:
            raise unknown(f"element in --set {path}:", key, names)
        return (*node[:index], _replaced(node[index], rest, value, path), *node[index + 1 :])
    raise InputError(f"--set {path}: {key!r} is a field of a plain value, {node!r}")
