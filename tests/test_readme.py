"""What the README names is there, for someone who has imported nothing but hlx."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from hlx.cli import COMMANDS

README = Path(__file__).resolve().parents[1] / "README.md"


def test_every_name_of_the_readme_exists() -> None:
    """In new processes: in this one, other tests have imported submodules."""
    text = README.read_text()
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    names = set(re.findall(r"\bhlx(?:\.[A-Za-z_]+)+", code))
    names |= {name.rstrip(".") for name in re.findall(r"`(hlx(?:\.[A-Za-z_]+)+)", text)}
    assert names >= {"hlx.explain", "hlx.estimate", "hlx.interactions", "hlx.bench.benchmark_estimators"}
    program = "import hlx, sys\nfor name in sys.argv[1:]: eval(name, {'hlx': hlx})"
    subprocess.run([sys.executable, "-c", program, *sorted(names, key=len, reverse=True)], check=True)


def test_every_command_of_the_readme_exists() -> None:
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", README.read_text(), re.DOTALL))
    commands = set(re.findall(r"^hlx ([a-z]+)", blocks, re.MULTILINE))
    assert {"explain", "interactions", "bench", "score"} <= commands
    assert commands <= set(COMMANDS)
