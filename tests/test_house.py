"""Promises of the house as a whole: what importing loads, what is documented, what is shipped."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("engines", "link", "daemon", "streamer", "viewer")
HEAVY = ("torch", "tensorrt", "pycuda", "onnx", "skimage", "scipy", "matplotlib", "PIL")
LINES_MAX = 400


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources() -> list[Path]:
    return sorted(path for name in (*PACKAGES, "benches") for path in (ROOT / name).rglob("*.py"))


@pytest.mark.parametrize("daemon", ["streamer", "viewer"])
def test_importing_a_daemon_loads_no_training_or_drawing_library(daemon):
    code = f"""
import sys, {daemon}.cli, {daemon}.app
print([name for name in {HEAVY} if name in sys.modules])"""
    assert python(code).strip() == "[]"


@pytest.mark.parametrize("daemon", ["streamer", "viewer"])
def test_help_of_a_daemon_comes_without_loading_the_runtime(daemon):
    slow = ("onnxruntime",)
    code = f"import sys, {daemon}.cli\nprint([name for name in {slow} if name in sys.modules])"
    assert python(code).strip() == "[]"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_says_what_it_is(name):
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), f"{name}/__init__.py has no docstring"


def test_every_file_says_what_it_is_and_stays_readable():
    silent, long = [], []
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if not ast.get_docstring(ast.parse(text)):
            silent.append(str(path.relative_to(ROOT)))
        if text.count("\n") > LINES_MAX:
            long.append(str(path.relative_to(ROOT)))
    assert silent == [], "files without a docstring"
    assert long == [], f"files of more than {LINES_MAX} lines"


def test_every_public_class_and_function_is_documented():
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, kinds)
        and not node.name.startswith("_")
        and node.name != "main"  # its file's docstring tells
        and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize("command", ["denc-stream", "denc-view"])
def test_version_is_the_one_of_the_distribution(command):
    module = {"denc-stream": "streamer.cli", "denc-view": "viewer.cli"}[command]
    said = python(f"import sys, {module} as c\ntry: c.main(['--version'])\nexcept SystemExit: pass")
    assert said.split() == [command, version("denc")]


def test_changelog_begins_with_what_is_not_released_or_with_this_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", version("denc"))


def test_torch_stands_only_in_the_train_extra():
    lines = metadata("denc").get_all("Requires-Dist") or []
    assert [line for line in lines if line.startswith("torch")] == [
        'torch==2.13.0; extra == "train"'
    ]


def test_every_package_can_be_imported_whole_without_torch():
    modules = [
        f"{name}.{info.name}"
        for name in ("link", "daemon", "streamer", "viewer")
        for info in pkgutil.iter_modules([str(ROOT / name)])
    ]
    code = f"""
import importlib, sys
sys.modules["torch"] = None
for name in {modules}: importlib.import_module(name)"""
    python(code)
