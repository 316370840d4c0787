"""Plugins that are broken, each with what an editor must show: a table.

``«`` and ``»`` in a text mark the range; they are not part of it. A text without them, in a row that has a range
elsewhere, is what else there is in the plugin.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Any

LOAD, RUN = "load", "run"


@dataclass
class Row:
    """`code` and `severity` of the diagnostic; texts or bytes by file; `says`: part of its message; `related`: parts
    of what is related to it; `at`: the place where a file of bytes cannot be marked (file, line, column, end line,
    end column, in code points)."""

    name: str
    code: str
    files: dict[str, Any]
    says: str = ""
    related: tuple[str, ...] = ()
    severity: str = "error"
    when: str = LOAD
    at: tuple[Any, ...] = ()
    needs: tuple[int, int] = (3, 11)
    manifest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.files, dict):
            self.files = {"handler.py": self.files}


def load(name: str, code: str, files: Any, says: str = "", *related: str, **more: Any) -> Row:
    return Row(name, code, files, says, related, **more)


def run(name: str, code: str, body: str, says: str = "", *related: str, **more: Any) -> Row:
    """The body of a handler, which is called."""
    lines = "".join(f"    {line}\n" if line else "\n" for line in body.split("\n"))
    text = more.pop("top", "") + "def on_message_received(event, sdk):\n" + lines
    files = {"handler.py": text, **more.pop("files", {})}
    return Row(name, code, files, says, related, when=RUN, manifest=EVENTS, **more)


OTHER = "evonic_other"
EVENTS = {"events": ["message_received"]}

SYNTAX = [
    load("an open bracket", "SyntaxError", "x = «(»1,\ny = 2\n", "'(' was never closed"),
    load("a closing bracket", "SyntaxError", "x = 1«)»\n", "unmatched ')'"),
    load("the wrong bracket", "SyntaxError", "x = (1«]»\n", "does not match"),
    load("no value", "SyntaxError", "x = «»\n", "invalid syntax"),
    load("no colon", "SyntaxError", "def f()«»\n    pass\n", "expected ':'"),
    load("a comparison for an assignment", "SyntaxError", "if «x = 1»:\n    pass\n", "Maybe you meant '=='"),
    load("an open text", "SyntaxError", "x = «'»abc\n", "unterminated string literal"),
    load(
        "an open long text",
        "SyntaxError",
        'x = 1\ny = «"""»abc\n',
        "unterminated triple-quoted",
        at=("handler.py", 1, 4, 1, 5),
    ),
    load("a statement of Python 2", "SyntaxError", "«print 'hello'»\n", "Missing parentheses"),
    load("return outside", "SyntaxError", "«return 1»\n", "'return' outside function"),
    load("await outside", "SyntaxError", "def f():\n    «await g()»\n", "'await' outside async"),
    load("break outside", "SyntaxError", "«break»\n", "'break' outside loop"),
    load("a global too late", "SyntaxError", "def f():\n    x = 1\n    «global x»\n", "before global declaration"),
    load("a keyword as a name", "SyntaxError", "«class» = 1\n", "invalid syntax", at=("handler.py", 0, 6, 0, 7)),
    load("assignment to a call", "SyntaxError", "«f()» = 1\n", "cannot assign to function call"),
    load("two of one argument", "SyntaxError", "def f(a, «a»): pass\n", "duplicate argument"),
    load("an f-string", "SyntaxError", "x = 1\ny = f'{x'\n", "", at=("handler.py", 1)),
    load("after emoji", "SyntaxError", "a = '😋é'; x = 1«)»\n", "unmatched ')'"),
    load("after a tab", "SyntaxError", "if 1:\n\tx = 1«)»\n", "unmatched ')'"),
    load("in a file of a package", "SyntaxError", {"handler.py": "", "sub/deep/x.py": "x = 1«)»\n"}, "unmatched"),
    load("a file that nobody imports", "SyntaxError", {"handler.py": "", "spare.py": "x = 1«)»\n"}, "unmatched"),
    load("with carriage returns", "SyntaxError", "a = 1\r\nb = 2\r\nx = 1«)»\r\n", "unmatched"),
    load(
        "nothing indented",
        "IndentationError",
        "def f():\n«pass»\n",
        "expected an indented block",
        at=("handler.py", 1, 0, 1, 4),
    ),
    load("too much indented", "IndentationError", "x = 1\n    y = 2\n", "unexpected indent", at=("handler.py", 1)),
    load(
        "dedented to nowhere",
        "IndentationError",
        "if 1:\n        x = 1\n    y = 2\n",
        "does not match",
        at=("handler.py", 2),
    ),
    load(
        "tabs and spaces",
        "TabError",
        "if 1:\n        x = 1\n\ty = 2\n",
        "inconsistent use of tabs",
        at=("handler.py", 2),
    ),
    load("an invisible character", "SyntaxError", "x = 1«\u200b»\n", "invalid non-printable character U+200B"),
    load("a curly quote", "SyntaxError", "x = «“»a”\n", "invalid character '“'"),
    load(
        "a future that is none",
        "SyntaxError",
        "from __future__ import «nothing»\n",
        "not defined",
        at=("handler.py", 0),
    ),
]
BYTES = [
    load(
        "a NUL byte",
        "SyntaxError",
        {"handler.py": b"x = 1\ny = '\xc3\xa9\0'\n"},
        "null bytes",
        at=("handler.py", 1, 6, 1, 7),
    ),
    load("not UTF-8", "SyntaxError", {"handler.py": b"x = 1\ny = '\xe9'\n"}, "utf-8", at=("handler.py", 1, 5, 1, 6)),
    load(
        "not the encoding that it names",
        "SyntaxError",
        {"handler.py": b"# coding: ascii\nx = '\xc3\xa9'\n"},
        "ascii",
        at=("handler.py", 1, 5, 1, 6),
    ),
    load(
        "an encoding that is none",
        "SyntaxError",
        {"handler.py": b"# coding: nonsense\nx = 1\n"},
        "unknown encoding",
        at=("handler.py", 0, 0, 0, 18),
    ),
    load(
        "UTF-16",
        "SyntaxError",
        {"handler.py": codecs.BOM_UTF16_LE + "x = 1\n".encode("utf-16-le")},
        "",
        at=("handler.py", 0),
    ),
    load(
        "an error after a byte order mark",
        "NameError",
        {"handler.py": codecs.BOM_UTF8 + b"boom\n"},
        "boom",
        at=("handler.py", 0, 0, 0, 4),
    ),
    load(
        "an error in latin-1",
        "NameError",
        {"handler.py": "# coding: latin-1\nx = 'éé'; boom\n".encode("latin-1")},
        "boom",
        at=("handler.py", 1, 10, 1, 14),
    ),
]
IMPORTS = [
    load("a name that is none", "NameError", "«boom»\n", "name 'boom' is not defined"),
    load("after emoji, at run time", "NameError", 'x = "😋é" + «boom»\n', "boom"),
    load("a module that is none", "ModuleNotFoundError", "«import nowhere_to_be_found»\n", "No module named"),
    load("a name that a module has not", "ImportError", "«from json import nothing»\n", "cannot import name"),
    load("a neighbour that is none", "ImportError", "«from . import nothing»\n", "cannot import name 'nothing'"),
    load(
        "a module in its own package",
        "ModuleNotFoundError",
        "«import plugins.{id}.nothing»\n",
        "No module named",
    ),
    load(
        "in another file",
        "NameError",
        {"handler.py": "from . import db\n", "db.py": "x = 1\n«boom»\n"},
        "boom",
        "in <module>",
    ),
    load(
        "two files further",
        "ZeroDivisionError",
        {
            "handler.py": "from . import a\n",
            "a.py": "from . import b\nb.f()\n",
            "b.py": "def f():\n    return «1 / 0»\n",
        },
        "division",
        "in <module>",
        "in <module>",
    ),
    load(
        "in the routes",
        "AttributeError",
        {"handler.py": "", "routes.py": "import json\n«json.nothing»\n"},
        "has no attribute",
    ),
    load(
        "a circle",
        "ImportError",
        {"handler.py": "from . import a\n", "a.py": "from .b import x\n", "b.py": "«from .a import y»\n"},
        "cannot import name 'y'",
        "in <module>",
    ),
    load(
        "a circle of whole modules",
        "AttributeError",
        {"handler.py": "from . import a\n", "a.py": "from . import b\nX = 1\n", "b.py": "from . import a\n«a.X»\n"},
        "partially initialized module",
    ),
    load(
        "the standard library's error",
        "JSONDecodeError",
        "import json\n«json.loads('{')»\n",
        "Expecting property name",
        "in JSONDecoder.raw_decode",
    ),
    load("a comprehension", "ZeroDivisionError", "x = [«1 // n» for n in (1, 0)]\n", "by zero"),
    load("a call of several lines", "ValueError", "raise_ = int\n«raise_(\n    'a',\n    10,\n)»\n", "invalid literal"),
    load("a wrong number of arguments", "TypeError", "def f(a): pass\n«f()»\n", "missing 1 required positional"),
    load("a subscript", "KeyError", "x = {'a': {}}\nx['a']«['b']»['c']\n", "'b'", at=("handler.py", 1, 0, 1, 11)),
    load("an exit", "SystemExit", "import sys\n«sys.exit(3)»\n", "3"),
    load("a class of its own", "Mine", "class Mine(BaseException): pass\n«raise Mine('so')»\n", "Mine: so"),
    load("without a message", "ValueError", "«raise ValueError»\n", "ValueError"),
    load(
        "a __str__ that raises",
        "E",
        "class E(Exception):\n    def __str__(self): raise TypeError\n«raise E»\n",
        "its __str__ raised TypeError",
    ),
    load("recursion", "RecursionError", "def f():\n    return «f()»\nf()\n", "maximum recursion depth"),
    load(
        "a syntax error in another plugin",
        "SyntaxError",
        "«from plugins.{other} import wrong»\n",
        "never closed",
        "'(' was never closed",
    ),
    load(
        "an error in another plugin",
        "KeyError",
        "from plugins.{other}.handler import fail\n«fail()»\n",
        "theirs",
        "in fail",
    ),
    load("compiled by the plugin itself", "SyntaxError", "«exec('x = = 1')»\n", "invalid syntax"),
    load(
        "a module that changes while it runs",
        "NameError",
        "import pathlib\npathlib.Path(__file__).write_text('# moved on')\n«boom»\n",
        "boom",
    ),
    load("a decorator", "NameError", "@«boom»\ndef f(): pass\n", "boom"),
    load("a default", "ZeroDivisionError", "def f(a=«1 / 0»): pass\n", "division"),
    load("a class body", "NameError", "class C:\n    x = «boom»\n", "boom", "in <module>"),
]
