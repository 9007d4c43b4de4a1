"""What the YAML of one agent says: read out of a document, checked, and named by the digest of its meaning."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from asp_telemetry.agents.documents import Document, described, is_list, is_number, is_text, line_of
from asp_telemetry.agents.faults import Faults
from asp_telemetry.agents.patterns import fault_of

DEFAULT_VERSION: Final = "1.0.0"
TYPES: Final = ("coordinator", "specialist", "transformer")
STATUSES: Final = ("active", "deprecated", "testing")
_LISTS: Final = ("capabilities", "triggers", "trigger_patterns")
_KEYS: Final = ("name", "version", "type", "domain", "status", "description", "context", *_LISTS)
_LONGEST: Final = {"name": 255, "version": 50, "domain": 100, "trigger_patterns": 1_000}
_LONGEST_ENTRY = 255
_LONGEST_TEXT = 10_000
_MAX_ENTRIES = 1_000
_ALIKE = 0.85


@dataclass(frozen=True)
class Definition:
    """Be one agent as its YAML defines it.

    Attributes:
        path: The file.
        line: Where in the file its document begins.
        name: The agent's name, which executions bear as their name or role.
        version: Of the definition, as it is written.
        type: coordinator, specialist or transformer.
        status: active, deprecated or testing; routers choose among active ones.
        capabilities: What it can do.
        domain: What it is about.
        triggers: Words and phrases that call for it.
        trigger_patterns: Regular expressions (RE2) that do.
        description: What it is, for people.
        context: What it fits: texts, or lists of them, by name.
        content: The whole definition.
        digest: SHA-256 of the whole definition: what is only written in another way has the same.
    """

    path: Path
    line: int
    name: str
    version: str
    type: str
    status: str
    capabilities: tuple[str, ...] | None
    domain: str | None
    triggers: tuple[str, ...] | None
    trigger_patterns: tuple[str, ...] | None
    description: str | None
    context: dict[str, list[str]]
    content: dict[str, Any] = field(repr=False)
    digest: str = field(repr=False)


def read_definition(document: Document, faults: Faults) -> Definition | None:
    """Read an agent's definition.

    Args:
        document: The YAML document.
        faults: Receives what is wrong.

    Returns:
        The definition, or None if anything is wrong.
    """
    before = len(faults.found)
    reading = _Reading(document, faults)
    reading.look_for_misspellings()
    content = dict(document.content)
    name = reading.text("name", required="the name that its executions bear")
    version = reading.version()
    if "version" in content and version is not None:
        content["version"] = version  # 1.10 would else be the number 1.1
    agent_type = reading.one_of("type", TYPES, required=f"write {_listed(TYPES)}")
    status = reading.one_of("status", STATUSES)
    lists = {key: reading.texts(key) for key in _LISTS}
    domain, description = reading.text("domain"), reading.text("description")
    context = reading.context()
    if len(faults.found) > before or name is None or agent_type is None:
        return None
    # Defaults are written out: whoever does so in the file has not changed the definition.
    whole = {**content, "version": version or DEFAULT_VERSION, "status": status or STATUSES[0]}
    return Definition(
        path=document.path,
        line=document.line,
        name=name,
        version=version or DEFAULT_VERSION,
        type=agent_type,
        status=status or STATUSES[0],
        domain=domain,
        description=description,
        context=context,
        content=content,
        digest=sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest(),
        **lists,
    )


class _Reading:
    """Take the values out of one document, and note what is wrong with them."""

    def __init__(self, document: Document, faults: Faults) -> None:
        self._document = document
        self._faults = faults

    def fault(self, line: int, message: str) -> None:
        self._faults.add(self._document.path, line, message)

    def look_for_misspellings(self) -> None:
        """Refuse what is nearly a key that is missing: whoever wrote it relies on it."""
        missing = [key for key in _KEYS if key not in self._document.nodes]
        for key, line in self._document.keys.items():
            if key not in _KEYS and (meant := get_close_matches(key.lower(), missing, 1, _ALIKE)):
                self.fault(line, f"{key!r} is not a key of a definition; did you mean {meant[0]!r}?")

    def text(self, key: str, *, required: str | None = None) -> str | None:
        """Return the text under a key."""
        node = self._document.nodes.get(key)
        if node is None:
            if required is not None:
                self.fault(self._document.line, f"{key} is missing; {required}")
            return None
        longest = _LONGEST.get(key, _LONGEST_TEXT)
        return self._checked(node, key, longest, one_line=key != "description")

    def version(self) -> str | None:
        """Return the version as it is written."""
        node = self._document.nodes.get("version")
        if node is None:
            return None
        if (is_text(node) or is_number(node)) and _is_version(node.value):
            return str(node.value)
        self.fault(
            line_of(node),
            f"version {described(node)} is none; write numbers with dots and at most {_LONGEST['version']} characters, "
            "such as 1.2.0 or 2.0.0-beta.1",
        )
        return None

    def one_of(self, key: str, allowed: tuple[str, ...], *, required: str | None = None) -> str | None:
        """Return a text that is one of a few."""
        found = self.text(key, required=required)
        if found is None or found in allowed:
            return found
        self.fault(
            line_of(self._document.nodes[key]), f"{key} {found!r} is unknown; write {_listed(allowed)}"
        )
        return None

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of texts, each once."""
        node = self._document.nodes.get(key)
        if node is None:
            return None
        check = fault_of if key == "trigger_patterns" else None
        return self._entries(node, key, _LONGEST.get(key, _LONGEST_ENTRY), check)

    def context(self) -> dict[str, list[str]]:
        """Return what the agent fits, by name."""
        node = self._document.nodes.get("context")
        if node is None:
            return {}
        if not isinstance(self._document.content["context"], dict):
            self.fault(
                line_of(node), "context is no mapping; write `language: [python, rust]` and so on under it"
            )
            return {}
        found = {}
        for key, value in node.value:
            name = f"context.{key.value}"
            if is_list(value):
                found[key.value] = list(self._entries(value, name, _LONGEST_ENTRY) or ())
            elif (text := self._checked(value, name, _LONGEST_ENTRY)) is not None:
                found[key.value] = [text]
        return found

    def _entries(
        self, node: Any, key: str, longest: int, check: Callable[[str], str | None] | None = None
    ) -> tuple[str, ...] | None:
        if not is_list(node):
            self.fault(
                line_of(node), f"{key} is no list; write one entry per line behind a dash, or [one, two]"
            )
            return None
        if len(node.value) > _MAX_ENTRIES:
            self.fault(
                line_of(node), f"{key} has {len(node.value)} entries; at most {_MAX_ENTRIES} are taken"
            )
            return None
        entries: dict[str, None] = {}
        for item in node.value:
            entry = self._checked(item, key, longest)
            if entry is None:
                continue
            if check is not None and (fault := check(entry)) is not None:
                self.fault(line_of(item), f"{key}: {entry!r} cannot be used: {fault}")
            entries[entry] = None
        return tuple(entries)

    def _checked(self, node: Any, key: str, longest: int, *, one_line: bool = True) -> str | None:
        """Return a text, or a number as it was written; note what is wrong with it."""
        if not is_text(node) and (key == "name" or not is_number(node)):
            self.fault(
                line_of(node), f"{key} {described(node)} is no text; write it in quotes if it is meant as one"
            )
            return None
        text = str(node.value).strip() if not one_line else str(node.value)
        if not text.strip() or (one_line and not text.isprintable()):
            self.fault(
                line_of(node),
                f"{key} {text[:60]!r} is empty or has control characters; write one line of text",
            )
            return None
        if len(text) > longest:
            self.fault(line_of(node), f"{key} has {len(text)} characters; at most {longest} are taken")
            return None
        return text if key == "trigger_patterns" else text.strip()


def _is_version(text: str) -> bool:
    """Tell whether a text is a version: numbers with dots, then perhaps a dash or plus and what belongs to it.

    Semantic versions are among them, https://semver.org.

    Example:
        >>> [text for text in ("1", "1.10", "2.0.0-beta.1", "1.0+linux", "v1", "1.", "latest", "1-") if _is_version(text)]
        ['1', '1.10', '2.0.0-beta.1', '1.0+linux']
    """
    if len(text) > _LONGEST["version"] or not text.isascii():
        return False
    numbers, *rest = text.replace("+", "-").split("-")
    return all(part.isdigit() for part in numbers.split(".")) and all(
        part and part.replace(".", "").isalnum() for part in rest
    )


def _listed(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
