"""How long the code is: lines without blanks, comments and docstrings, room by room.

    python benchmarks/lines_of_code.py                 # this tree
    python benchmarks/lines_of_code.py --revision REV  # a commit, and this tree against it

Every file is first formatted by ruff at the same line length, so that trees of other times can be compared.
A line counts that holds part of at least one token of code; strings that stand for themselves (docstrings,
and what is said of constants) are no code.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import Counter
from pathlib import Path

from _environment import ROOT, write_results

FOLDERS = ("hlx", "kernels", "tests", "benchmarks")
LINE_LENGTH = 110

_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def lines_of_code(text: str) -> int:
    """Lines of a module that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def room_of(path: Path) -> str:
    """hlx/games for a file at any depth below it, hlx for one that stands in hlx itself."""
    parts = path.parts
    return f"{parts[0]}/{parts[1]}" if parts[0] in ("hlx", "tests") and len(parts) > 2 else parts[0]


def count(tree: Path) -> dict[str, dict[str, int]]:
    """Files and lines of each room of a tree, which is formatted in place."""
    there = [folder for folder in FOLDERS if (tree / folder).is_dir()]
    subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "format", "--quiet", "--isolated"),
            *("--line-length", str(LINE_LENGTH), "--target-version", "py311", *there),
        ],
        cwd=tree,
        check=True,
    )
    files, lines = Counter[str](), Counter[str]()
    for path in sorted(path for folder in there for path in (tree / folder).rglob("*.py")):
        room = room_of(path.relative_to(tree))
        files[room] += 1
        lines[room] += lines_of_code(path.read_text(encoding="utf-8"))
    return {room: {"files": files[room], "lines": lines[room]} for room in sorted(files)}


def counted(revision: str | None) -> dict[str, dict[str, int]]:
    """The rooms of a commit, or of the files that git knows in this tree, as they are now."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        if revision is not None:
            content = _git("archive", revision, "--", *_there(revision))
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                archive.extractall(tree, filter="data")
        else:
            for name in _git("ls-files", "-z", "--", *FOLDERS).decode().split("\0"):
                if name.endswith(".py") and (ROOT / name).exists():
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    (tree / name).write_bytes((ROOT / name).read_bytes())
        return count(tree)


def totals(rooms: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Sums over the rooms of each folder; what hlx and kernels are together is what is installed."""
    sums = {
        folder: {
            what: sum(numbers[what] for room, numbers in rooms.items() if room.split("/")[0] == folder)
            for what in ("files", "lines")
        }
        for folder in FOLDERS
    }
    sums["installed"] = {what: sums["hlx"][what] + sums["kernels"][what] for what in ("files", "lines")}
    sums["all"] = {what: sum(sums[folder][what] for folder in FOLDERS) for what in ("files", "lines")}
    return sums


def table(counts: dict[str, dict[str, dict[str, int]]]) -> str:
    """A line for every room and sum, two columns for every tree."""
    trees = list(counts)
    names = sorted({name for rooms in counts.values() for name in rooms})
    sums = {tree: totals(rooms) for tree, rooms in counts.items()}
    width = max(map(len, [*names, "installed"])) + 2
    lines = [" " * width + "".join(f"{tree[:12] + ' files':>20}{'lines':>8}" for tree in trees)]
    for name in names:
        found = [counts[tree].get(name, {"files": 0, "lines": 0}) for tree in trees]
        lines.append(f"{name:{width}}" + "".join(f"{n['files']:>20,}{n['lines']:>8,}" for n in found))
    lines.append("")
    for name in (*FOLDERS, "installed", "all"):
        found = [sums[tree][name] for tree in trees]
        lines.append(f"{name:{width}}" + "".join(f"{n['files']:>20,}{n['lines']:>8,}" for n in found))
    if len(trees) == 2:
        first, second = (sums[tree]["all"]["lines"] for tree in trees)
        lines.append(f"\n{trees[1]} has {second - first:+,} lines beside {trees[0]}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--revision", metavar="REV", help="count this commit too")
    options = parser.parse_args()
    counts, commits = {}, {}
    if options.revision:
        counts[options.revision] = counted(options.revision)
        commits[options.revision] = _git("rev-parse", options.revision + "^{commit}").decode().strip()
    counts["this tree"] = counted(None)
    print(table(counts))
    results = {
        "line_length": LINE_LENGTH,
        "revisions": commits,
        "trees": {tree: {"totals": totals(rooms), "rooms": rooms} for tree, rooms in counts.items()},
    }
    print(f"written: {write_results('lines-of-code', results, ['ruff'])}", file=sys.stderr)


def _there(revision: str) -> list[str]:
    names = _git("ls-tree", "--name-only", revision).decode().split("\n")
    return [folder for folder in FOLDERS if folder in names]


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
