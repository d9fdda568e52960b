"""What MkDocs does not do by itself: pages that are not in `docs/`, and the folders of the navigation.

The documents link to each other and to files of the repository as one reads them there. On the site, every such file is
a page too (Markdown as it is, anything else as code), so that each link leads somewhere without asking another host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY: Final = Path(__file__).parents[2]
DOCS: Final = "docs/"
OUTSIDE: Final = "repository/"
"""Where on the site the files from outside `docs/` are; see `not_in_nav` of `mkdocs.yml`."""

_LINK: Final = re.compile(r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^)\s]+)(?P<after>\))")
_FENCE: Final = re.compile(r"^( *)(`{3,}).*?^\1\2$", re.MULTILINE | re.DOTALL)
_PICTURES: Final = (".png", ".svg")
_HIGHLIGHTED: Final = {".py": "python", ".js": "js", ".ts": "ts", ".yaml": "yaml", ".toml": "toml", ".sh": "bash"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """`- Runbooks: runbooks/` in the navigation stands for the pages of that folder.

    What it does not name is its last section, so that one finds a new page before somebody has given it a place.
    """
    nav = [_expanded(entry) for entry in config.nav or []]
    unnamed = sorted({*_pages_in("", "**/*.md")} - {*_paths_of(nav)})
    config.nav = [*nav, {"More": unnamed}] if unnamed else nav
    return config


def _expanded(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    [(title, inside)] = entry.items()
    if isinstance(inside, list):
        return {title: [_expanded(each) for each in inside]}
    if isinstance(inside, str) and inside.endswith("/"):
        return {title: _titled(sorted(_pages_in(inside), key=lambda path: (not path.endswith("README.md"), path)))}
    return entry


def _titled(paths: list[str]) -> list[str | dict[str, str]]:
    """Without the word that all names begin with, as those of alerts do: the navigation is narrow."""
    names = [Path(path).stem for path in paths if not path.endswith("README.md")]
    word = posixpath.commonprefix(names)
    if len(names) < 2 or not word.isalpha():
        return [*paths]
    return [path if path.endswith("README.md") else {Path(path).stem.removeprefix(word): path} for path in paths]


def _pages_in(folder: str, pattern: str = "*.md") -> list[str]:
    pages = [path.relative_to(REPOSITORY / DOCS).as_posix() for path in (REPOSITORY / DOCS / folder).glob(pattern)]
    if not pages:
        raise PluginError(f"mkdocs.yml: there is no page in docs/{folder}")
    return pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to outside `docs/`, and what those link to in turn."""
    waiting = [DOCS + file.src_uri for file in files.documentation_pages()]
    waiting += [_repository_path(path) for path in _paths_of(config.nav) if path.startswith(OUTSIDE)]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if not path.startswith(DOCS):
            files.append(_page_of(path, config))
        if path.endswith(".md"):
            waiting += _linked_from(path)
    return files


def _paths_of(nav: Any) -> Iterator[str]:
    for entry in nav if isinstance(nav, list) else [nav]:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            for inside in entry.values():
                yield from _paths_of(inside)


def _linked_from(path: str) -> Iterator[str]:
    for found in _LINK.finditer(_FENCE.sub("", (REPOSITORY / path).read_text())):
        target = _target(path, found["target"])
        if target and not (target.startswith(DOCS) and target.endswith(_PICTURES)):
            yield target


def _target(path: str, link: str) -> str | None:
    """The file of the repository that a link of `path` leads to: a folder's README. None for anything else."""
    name = link.partition("#")[0]
    if not name or re.match(r"[a-z]+:", name):
        return None
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
    if (REPOSITORY / target).is_dir():
        target = posixpath.join(target, "README.md")
    return target if (REPOSITORY / target).is_file() else None


def _page_of(path: str, config: MkDocsConfig) -> File:
    if path.endswith((".md", *_PICTURES)):
        return File.generated(config, _site_path(path), abs_src_path=str(REPOSITORY / path))
    language = _HIGHLIGHTED.get(Path(path).suffix, "")
    text = (REPOSITORY / path).read_text()
    page = f"---\nsearch:\n  exclude: true\n---\n\n# `{path}`\n\n``````{language}\n{text}``````\n"
    return File.generated(config, _site_path(path), content=page)


def _site_path(path: str) -> str:
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return OUTSIDE + (path if path.endswith((".md", *_PICTURES)) else f"{path}.md")


def _repository_path(site_path: str) -> str:
    if not site_path.startswith(OUTSIDE):
        return DOCS + site_path
    path = site_path.removeprefix(OUTSIDE)
    return path if (REPOSITORY / path).is_file() else path.removesuffix(".md")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site needs them; one to a folder without a page becomes its text."""
    path = _repository_path(page.file.src_uri)
    if not path.endswith(".md"):
        return markdown
    parts: list[str] = []
    at = 0
    for fence in _FENCE.finditer(markdown):
        parts += [_linked(markdown[at : fence.start()], path), fence.group()]
        at = fence.end()
    return "".join([*parts, _linked(markdown[at:], path)])


def _linked(text: str, path: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        link = found["target"]
        target = _target(path, link)
        if target is None:
            name = link.partition("#")[0]
            folder = name and (REPOSITORY / posixpath.dirname(path) / name).is_dir()
            return found["before"].removeprefix("[").removesuffix("](") if folder else found.group()
        start = posixpath.dirname(_site_path(path))
        anchor = "#" + link.partition("#")[2] if "#" in link else ""
        return f"{found['before']}{posixpath.relpath(_site_path(target), start or '.')}{anchor}{found['after']}"

    return _LINK.sub(replaced, text)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The theme gives its search no name, which a screen reader would tell."""
    dialog = 'data-md-component="search" role="dialog"'
    return output.replace(dialog, f'{dialog} aria-label="Search"')
