"""Another process, in which sets have another order: a search that depends on it is another one when it is
resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from cambrian.testing.suite import expect


def is_found_elsewhere(spec: Mapping[str, Any] | None) -> bool:
    """Whether another process finds the component of that spec: by a name in a registry, or in a file on the
    path, and not in a module that this process alone has made."""
    if spec is None:
        return False
    module, colon, _ = str(spec["name"]).partition(":")
    return not colon or PathFinder.find_spec(module.partition(".")[0]) is not None


def run_elsewhere(function: str, facts: Any) -> Any:
    """What `function`, of one argument and named `module:function`, makes of `facts` in a new process with
    another PYTHONHASHSEED. Both are JSON."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2",
    }
    module, _, name = function.partition(":")
    code = (
        f"import json, sys\nfrom {module} import {name}\n"
        f"print(json.dumps({name}(json.loads(open(sys.argv[1]).read()))))"
    )
    # By a file: a history is longer than an argument may be.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "facts.json")
        path.write_text(json.dumps(facts))
        command = [sys.executable, "-c", code, str(path)]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    expect(ended.returncode == 0, f"it fails in another process: {ended.stderr[-500:]}")
    # Last of what it prints: a component may say something of its own.
    return json.loads(ended.stdout.splitlines()[-1])
