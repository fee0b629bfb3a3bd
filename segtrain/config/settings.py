"""Settings by name: the value of one, and a configuration from names and values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from segdata.errors import InvalidInputError
from segtrain.config.config import Config
from segtrain.config.expected import expected_values
from segtrain.config.group import Group
from segtrain.config.names import FAMILIES, Place, choices_of, fields_of, is_group, name_of, owner, place_of, readers
from segtrain.config.networks import AnyNetwork

#: Settings that earlier versions wrote even if they had no value, which no recipe does. They mark a file with all
#: settings side by side, those without effect included.
_ALWAYS_WRITTEN = {"num_classes", "ignore_label", "ckpt_pre_trained", "workers", "seed"}


class _UnreadError(InvalidInputError):
    """A setting that nothing would read."""


def flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all settings in a mapping with groups, by dotted path."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def choice_names(group: str) -> list[str]:
    """Return the published names of the choices for a group of `Config`, such as ``schedule``."""
    return list(choices_of(fields_of(Config)[group]))


def setting(config: Config, key: str) -> Any:
    """Return the value of the setting `key`, or the name of the choice.

    Raises:
        InvalidInputError: when there is no such setting, or the network does not read it.
    """
    path = place_of(key)
    value: Any = config
    for depth, part in enumerate(path, start=1):
        if part not in value.__struct_fields__:
            raise _unread(key, path[:depth], type(value))
        value = getattr(value, part)
    return value.name if isinstance(value, Group) else value


def build(values: dict[str, Any], given: Iterable[tuple[str, Any]]) -> Config:
    """Return the configuration with all `values`, after setting those that are `given`.

    A new choice, such as another optimizer, keeps the values of the settings that the former one read, too; so does a
    new network of the same family.

    Args:
        values: a configuration as a mapping with groups, or an empty mapping; it is changed.
        given: names, short (``crop_size``), dotted (``model.crop_size``) or as published (``unet.crop``), and values;
            a string may be a number, as YAML 1.1 reads ``1e-4`` as a string.

    Raises:
        InvalidInputError: for an unknown name, a setting that nothing would read, a value of the wrong type or out of
            range, a setting given twice with different values, or missing settings.
    """
    places = [(place_of(key), key, value) for key, value in given if not (key in FAMILIES and value is None)]
    former = not values and {key for _, key, _ in places} >= _ALWAYS_WRITTEN
    if "model" not in values and ("model",) not in {path for path, _, _ in places}:
        raise InvalidInputError("missing setting: model")
    done: dict[Place, Any] = {}
    # Choices first, and the network before its loss: they decide which other settings there are.
    for path, key, value in sorted(places, key=lambda place: (not is_group(place[0]), len(place[0]))):
        try:
            kind, group = _group_of(values, path, key)
        except _UnreadError:
            if former:
                continue
            raise
        found = _assign(group, path[-1], fields_of(kind)[path[-1]], key, value)
        if done.setdefault(path, found) != found:
            raise InvalidInputError(f"{key}: given twice, as {done[path]!r} and as {found!r}; expected one value")
    for path in done:
        kind, group = _group_of(values, path, path[-1])
        for switched in getattr(kind, "SWITCHES", {}).get(path[-1], ()):
            if not group[path[-1]] and (former or (*path[:-1], switched) not in done):
                group.pop(switched, None)
    if missing := sorted(_missing(Config, values)):
        raise InvalidInputError(f"missing setting{'s' if len(missing) != 1 else ''}: {', '.join(missing)}")
    return msgspec.convert(values, Config)


def _group_of(values: dict[str, Any], path: Place, key: str) -> tuple[type[msgspec.Struct], dict[str, Any]]:
    """Return the type and the values of the group that a setting is in, according to the choices made."""
    kind: type[msgspec.Struct] = Config
    for depth, part in enumerate(path, start=1):
        if part not in fields_of(kind) or _belongs_elsewhere(key, kind):
            raise _unread(key, path[:depth], kind)
        if depth < len(path):
            choices = choices_of(fields_of(kind)[part])
            values = values.setdefault(part, {})
            kind = choices[values.setdefault("name", next(iter(choices)))]
    return kind, values


def _belongs_elsewhere(key: str, kind: type[msgspec.Struct]) -> bool:
    family = key.partition(".")[0]
    return family in FAMILIES and issubclass(kind, AnyNetwork) and family != kind.FAMILY


def _unread(key: str, path: Place, kind: type[msgspec.Struct]) -> _UnreadError:
    having, here = readers()[path], owner(kind, path)
    return _UnreadError(
        f"{key}: not a setting of {here}; only {_listed(having)} {'has' if len(having) == 1 else 'have'} it. "
        f"`segtrain settings {here.rpartition(' ')[2]}` lists what {here} has."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _shown(value: Any) -> str:
    """Return a value as messages show it, shortened if it is too long."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _assign(group: dict[str, Any], field: str, hint: Any, key: str, value: Any) -> Any:
    """Set a field to a value or choice, and return the value, converted to the field's type, or the choice's name."""
    if choices := choices_of(hint):
        if not isinstance(value, str) or value not in choices:
            raise InvalidInputError(f"{key} = {_shown(value)}: expected one of {', '.join(choices)}")
        before = group.get(field, {})
        _check_family(choices.get(before.get("name")), choices[value], key)
        group[field] = {"name": value} | {name: before[name] for name in fields_of(choices[value]) if name in before}
        return value
    try:
        group[field] = msgspec.convert(value, hint, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{key} = {_shown(value)}: expected {_phrase(hint)}") from error
    numbers = group[field] if isinstance(group[field], tuple) else (group[field],)
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise InvalidInputError(f"{key} = {_shown(value)}: expected a finite number")
    return group[field]


def _phrase(hint: Any) -> str:
    values = expected_values(hint)
    article = {"i": "an ", "n": "a ", "l": "a "}.get(values[0], "") if values != "null" else ""
    return f"{article}{values}"


def _check_family(before: type[Group] | None, now: type[Group], key: str) -> None:
    if before and issubclass(before, AnyNetwork) and issubclass(now, AnyNetwork) and before.FAMILY != now.FAMILY:
        raise InvalidInputError(
            f"{key} = {name_of(now)}: the other settings are for {name_of(before)}, and {name_of(now)} does not have "
            f"them. Start from a recipe for {name_of(now)}; segtrain recipes lists all."
        )


def _missing(kind: type[msgspec.Struct], values: dict[str, Any]) -> Iterator[str]:
    """Yield the settings without a value or default; a group of which nothing is given is that of its first choice."""
    for field in msgspec.structs.fields(kind):
        if choices := choices_of(fields_of(kind)[field.name]):
            if field.required or field.name in values:
                group = values.setdefault(field.name, {})
                yield from _missing(choices[group.setdefault("name", next(iter(choices)))], group)
        elif field.required and field.name not in values:
            yield field.name
