"""What the documents show runs: python blocks, `make` targets, programs and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("*/**/README.md"))]
DOCUMENTS = [d for d in DOCUMENTS if not any(part.startswith(".") for part in d.relative_to(ROOT).parts)]

# documents that have to show code; one whose blocks lost their mark would otherwise pass in silence
WITH_CODE = ("README.md", "datasets/wordnet-small/README.md")


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def python_blocks(text: str) -> list[tuple[int, str]]:
    """(line, code) of each ```python block."""
    return [
        (text.count("\n", 0, match.start(1)), match.group(1))
        for match in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


def code_of(text: str) -> str:
    """Everything a document marks as code, inline or in blocks."""
    pattern = r"^```\w*\n(?s:.*?)^```$|`[^`\n]+`|^ {4}\S.*$"
    return "\n".join(re.findall(pattern, text, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_python_blocks_run_in_order(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = python_blocks(document.read_text(encoding="utf-8"))
    assert blocks or name_of(document) not in WITH_CODE, "this document has to show python code"
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks:
        # empty lines in front, so that a traceback names the line of the document
        exec(compile("\n" * line + code, str(document), "exec"), namespace)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?<!vecrecall data )\bmake ([a-z][a-z-]*)", code_of(document.read_text(encoding="utf-8"))))
    assert named <= targets


def is_program(module: str) -> bool:
    """Whether `python -m` runs it: a module, or a package with a main program."""
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_programs_exist(document: Path) -> None:
    named = re.findall(r"python -m ((?:bench|datasets)[\w.]*)", document.read_text(encoding="utf-8"))
    assert [module for module in named if not is_program(module.rstrip("."))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_to_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_a_block_is_found_with_its_line() -> None:
    text = "a\n```python\nx = 1\n```\n```console\n$ make demo\n```\n    python -m bench.demo\n"
    assert python_blocks(text) == [(2, "x = 1\n")]
    assert "make demo" in code_of(text)
    assert "bench.demo" in code_of(text)
