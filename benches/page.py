"""A page of HTML without anything from outside: for phones too, on white and on black."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """\
:root { color-scheme: light dark; --ink: #1d2125; --soft: #667; --line: #d9dde2; --back: #fff;
  --raised: #f5f6f8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e9; --soft: #9aa; --line: #353a40;
  --back: #14161a; --raised: #1d2126 } }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 0 auto; padding: 1rem; max-width: 1400px }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem } h3 { font-size: 1rem }
p { max-width: 75ch }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums;
  width: 100% }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap }
th { color: var(--soft); font-weight: 600; border-bottom: 1px solid var(--line) }
th.text, td.text { text-align: left }
tbody tr:nth-child(even) { background: var(--raised) }
.panels { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)) }
.crops { display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 240px), 1fr)) }
figure { margin: 0 } figure img { width: 100%; display: block }
.crops img { image-rendering: pixelated; border-radius: 4px }
figcaption { font-size: .85rem; color: var(--soft) }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; max-width: none }
.legend i { display: inline-block; width: 1.6rem; border-top: 3px solid; margin-right: .4rem;
  vertical-align: middle }
details { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; margin: .6rem 0 }
summary { cursor: pointer; font-weight: 600 }
pre { overflow-x: auto; font-size: .8rem }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> str:
    """Of plain text; the first `texts` columns hold words, the others numbers."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=text' * (column < texts)}>{escape(value)}</{tag}>"
            for column, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{cells("th", head)}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(source: str, label: str, *, caption: bool = False) -> str:
    """A picture from a data URI; `caption` shows the label, which is there for readers anyway."""
    below = f"<figcaption>{escape(label)}</figcaption>" if caption else ""
    return f'<figure><img src="{source}" alt="{escape(label)}">{below}</figure>'
