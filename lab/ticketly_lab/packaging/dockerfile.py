"""A strict reader of our Dockerfile and of its context: what it does not understand it refuses. Pure.

It knows the instructions we use, so that checks see what a build would do. It is no general parser: parser directives,
here-documents, ONBUILD and shells of one's own are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KEYWORDS = frozenset(
    {
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "RUN",
        "USER",
        "WORKDIR",
    }
)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S+))?\s+")
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_PAIR = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S+)\s*')


@dataclass(frozen=True, slots=True)
class Instruction:
    """`text` is what follows the flags; `words` is the exec form, None when it is none."""

    line: int
    keyword: str
    flags: tuple[tuple[str, str], ...]
    text: str
    words: tuple[str, ...] | None

    def flag(self, name: str) -> str:
        """Its value, empty when it is not there."""
        return dict(self.flags).get(name, "")

    def pairs(self) -> dict[str, str]:
        """Of ENV and LABEL: `NAME=value ...`, without quotes. Raises ValueError for anything else."""
        found, rest = {}, self.text
        while rest:
            match = _PAIR.match(rest)
            if match is None:
                raise ValueError(f"line {self.line}: not NAME=value: {rest}")
            found[match[1]] = match[2].strip('"')
            rest = rest[match.end() :]
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """`base` is an image reference or the name of an earlier stage, with ARGs put in."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        return [each for each in self.instructions if each.keyword == keyword]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """Stages in their order; `arguments` are the ARGs before the first of them, with their defaults."""

    arguments: Mapping[str, str]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """Raises KeyError when there is none."""
        for each in self.stages:
            if each.name == name:
                return each
        raise KeyError(name)

    def lineage(self, name: str) -> list[Instruction]:
        """The instructions of a stage after those of the stages it begins with."""
        stage = self.stage(name)
        known = {each.name for each in self.stages}
        return [*(self.lineage(stage.base) if stage.base in known else ()), *stage.instructions]

    def environment(self, name: str) -> dict[str, str]:
        """ENV of a stage, those it inherits included."""
        return {
            key: value for each in self.lineage(name) if each.keyword == "ENV" for key, value in each.pairs().items()
        }


def parse(text: str) -> Dockerfile:
    """Raises ValueError with the number of the line that cannot be read."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for number, line in _logical_lines(text):
        keyword, _, rest = line.partition(" ")
        instruction = _instruction(number, keyword, rest.strip())
        if keyword == "FROM":
            reference, _, name = instruction.text.partition(" AS ")
            if not name:
                raise ValueError(f"line {number}: FROM without AS")
            stages.append(Stage(name, _filled(reference, arguments, number)))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif keyword == "ARG":
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
        else:
            raise ValueError(f"line {number}: {keyword} before the first FROM")
    return Dockerfile(arguments, tuple(stages))


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    begun, collected = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            if re.match(r"#\s*(syntax|escape|check)\s*=", line):
                raise ValueError(f"line {number}: a parser directive")
            continue
        if not line.strip():
            if collected:
                raise ValueError(f"line {number}: an empty line within an instruction")
            continue
        begun = begun or number
        if line.endswith("\\"):
            collected += line[:-1].strip() + " "
            continue
        yield begun, collected + line.strip()
        begun, collected = 0, ""
    if collected:
        raise ValueError(f"line {begun}: the instruction does not end")


def _instruction(number: int, keyword: str, rest: str) -> Instruction:
    if keyword not in KEYWORDS:
        raise ValueError(f"line {number}: {keyword} is not expected here")
    if "<<" in rest:
        raise ValueError(f"line {number}: a here-document")
    flags = []
    while (match := _FLAG.match(rest)) is not None:
        flags.append((match[1], match[2] or ""))
        rest = rest[match.end() :]
    words = None
    if rest.startswith("["):
        try:
            words = tuple(str(word) for word in json.loads(rest))
        except ValueError as error:
            raise ValueError(f"line {number}: not an exec form: {rest}") from error
    return Instruction(number, keyword, tuple(flags), rest, words)


def _filled(text: str, arguments: Mapping[str, str], number: int) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in arguments:
            raise ValueError(f"line {number}: ${name} is not declared before the first FROM")
        return arguments[name]

    return _VARIABLE.sub(value, text)


def in_context(path: str, ignore: str) -> bool:
    """Whether a file of the checkout is sent to the builder; `ignore` is the text of `.dockerignore`.

    The last pattern that matches the path or a folder above it decides, as in Docker.
    """
    sent = True
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    for line in ignore.splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            expression = _expression(pattern.removeprefix("!"))
            if any(expression.fullmatch(each) for each in above):
                sent = pattern.startswith("!")
    return sent


def _expression(pattern: str) -> re.Pattern[str]:
    escaped = re.escape(pattern.strip("/"))
    for written, meant in ((r"\*\*/", "(?:.*/)?"), (r"\*\*", ".*"), (r"\*", "[^/]*"), (r"\?", "[^/]")):
        escaped = escaped.replace(written, meant)
    return re.compile(escaped)
