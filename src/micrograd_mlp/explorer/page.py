"""The page: one HTML file with its data, script and style in it. It loads nothing, and says so to the browser."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from ..names import clean
from ..web import asset
from .arithmetic import javascript

LONGEST = 200  # characters of a title


def script() -> str:
    """Return the script of every explorer: the arithmetic of the table, and what shows a graph with it."""
    return f'"use strict";\n{javascript()}globalThis.arithmetic = arithmetic;\n{asset("explorer.js")}'


def policy(nonce: str = "") -> str:
    """Return the content security policy of every page: nothing but its own script and style, known by their hashes.

    With a `nonce` these are known by it instead. A server may send it as a header as well.
    """
    if nonce and not re.fullmatch(r"[A-Za-z0-9+/_=-]{16,}", nonce):
        raise ValueError(f"a nonce is at least 16 characters of base64, got {nonce!r}")
    scripts, styles = (f"'nonce-{nonce}'",) * 2 if nonce else map(_hash, (script(), asset("explorer.css")))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )


def page_of(data: dict[str, Any], nonce: str = "") -> str:
    """Return the page that shows `data`, as `model.data_of` gives it."""
    title = escape(clean(data["title"], LONGEST) or "A graph of Values")
    mark = f' nonce="{nonce}"' if nonce else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(nonce)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title} · Micrograd-MLP explorer</title>\n"
        '<link rel="icon" href="data:,">\n'
        f"<style{mark}>{asset('explorer.css')}</style>\n</head>\n<body>\n"
        "<noscript>This page computes and draws a graph. It needs JavaScript, which is in it.</noscript>\n"
        '<div id="page"></div>\n'
        f'<script type="application/json" id="data">{_embedded(data)}</script>\n'
        f"<script{mark}>{script()}</script>\n</body>\n</html>\n"
    )


def _embedded(data: dict[str, Any]) -> str:
    """Return data as JSON in which nothing can end the element that it stands in."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
