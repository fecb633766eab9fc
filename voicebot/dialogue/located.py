"""YAML whose every value remembers its line, so that a mistake can be shown where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
MOST_PARTS = 200_000  # of one document, aliases counted as often as they are used; a large playbook has 5 000


@dataclass(slots=True)
class Located:
    """Plain data (dicts, lists, strings) and the line of each of its parts."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)  # 1-based
    duplicates: list[Path] = field(default_factory=list)

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of the nearest known ancestor of a path."""
        for length in range(len(path), -1, -1):
            if tuple(path[:length]) in self.lines:
                return self.lines[tuple(path[:length])]
        return 1


def read(text: str) -> Located:
    """Parse YAML. Every scalar stays a string, so that a key `no` is not read as false.

    Raises:
        yaml.YAMLError: the text is not YAML, or grows without measure when it is read.
    """
    located = Located()
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        if node is not None:
            located.data = _walk(node, (), located)
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error
    return located


def _walk(node: yaml.Node, path: Path, into: Located) -> Any:
    into.lines.setdefault(path, node.start_mark.line + 1)
    if len(into.lines) > MOST_PARTS:
        raise yaml.YAMLError(f"more than {MOST_PARTS:,} parts, which aliases may have multiplied")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                into.duplicates.append((*path, key))
            into.lines[(*path, key)] = key_node.start_mark.line + 1
            mapping[key] = _walk(value_node, (*path, key), into)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_walk(item, (*path, index), into) for index, item in enumerate(node.value)]
    return node.value
