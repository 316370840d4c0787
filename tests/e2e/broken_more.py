"""The rest of the table of ``broken.py``: chains of causes, errors at run time, manifests."""

from __future__ import annotations

from e2e.broken import BYTES, EVENTS, IMPORTS, RUN, SYNTAX, load, run

CHAINS = [
    load(
        "a cause",
        "RuntimeError",
        "try:\n    boom\nexcept NameError as error:\n    «raise RuntimeError('so') from error»\n",
        "so",
        "caused by NameError: name 'boom'",
    ),
    load(
        "a context",
        "RuntimeError",
        "try:\n    boom\nexcept NameError:\n    «raise RuntimeError('so')»\n",
        "so",
        "while handling NameError",
    ),
    load(
        "no context",
        "RuntimeError",
        "try:\n    boom\nexcept NameError:\n    «raise RuntimeError('so') from None»\n",
        "so",
    ),
    load(
        "three of them",
        "KeyError",
        "try:\n    try:\n        boom\n    except NameError as e:\n        raise ValueError('b') from e\n"
        "except ValueError as e:\n    «raise KeyError('c') from e»\n",
        "c",
        "caused by ValueError: b",
        "caused by NameError",
    ),
    load(
        "a circle of causes",
        "ValueError",
        "a, b = ValueError('a'), KeyError('b')\na.__cause__, b.__cause__ = b, a\n«raise a»\n",
        "a",
        "caused by KeyError",
    ),
    load(
        "notes", "ValueError", "e = ValueError('a')\ne.add_note('look here')\n«raise e»\n", "ValueError: a\nlook here"
    ),
    load(
        "a group",
        "ExceptionGroup",
        "def f():\n    boom\nerrors = [ValueError('v')]\ntry:\n    f()\nexcept NameError as e:\n"
        "    errors.append(e)\n«raise ExceptionGroup('many', errors)»\n",
        "many (2 sub-exceptions)",
        "in the group: ValueError: v",
        "in the group: NameError: name 'boom'",
    ),
    load(
        "groups in a group",
        "ExceptionGroup",
        "«raise ExceptionGroup('a', [ExceptionGroup('b', [KeyError('c')])])»\n",
        "a (1 sub-exception)",
        "in the group: KeyError: 'c'",
    ),
    load(
        "a cause in a group",
        "ExceptionGroup",
        "e = ValueError('v')\ne.__cause__ = KeyError('k')\n«raise ExceptionGroup('many', [e])»\n",
        "many",
        "in the group: ValueError: v",
        "in the group: ValueError: v caused by KeyError: 'k'",
    ),
    load(
        "a failed import as the cause",
        "RuntimeError",
        "try:\n    import nowhere_to_be_found\nexcept ImportError as e:\n"
        "    «raise RuntimeError('install it') from e»\n",
        "install it",
        "caused by ModuleNotFoundError",
    ),
]
RUNS = [
    run("a handler", "KeyError", "«event['nothing']»", "'nothing'"),
    run("after emoji in a handler", "NameError", "x = '😋é' + «boom»", "boom"),
    run(
        "a function below it",
        "ZeroDivisionError",
        "helper(0)",
        "division",
        "in on_message_received",
        top="def helper(n):\n    return «1 / n»\n",
    ),
    run(
        "another file of the plugin",
        "TypeError",
        "from . import db\ndb.work()",
        "",
        "in on_message_received",
        files={"db.py": "def work():\n    return «len(None)»\n"},
    ),
    run(
        "the standard library in a handler",
        "JSONDecodeError",
        "import json\n«json.loads('')»",
        "Expecting value",
        "in loads",
    ),
    run(
        "another plugin in a handler",
        "KeyError",
        "from plugins.{other}.handler import fail\n«fail()»",
        "theirs",
        "in fail",
    ),
    run("recursion in a handler", "RecursionError", "f()", "maximum recursion", top="def f():\n    return «f()»\n"),
    run(
        "a cause in a handler",
        "RuntimeError",
        "try:\n    event['nothing']\nexcept KeyError as error:\n    «raise RuntimeError('so') from error»",
        "so",
        "caused by KeyError",
    ),
    run(
        "a group in a handler",
        "ExceptionGroup",
        "«raise ExceptionGroup('many', [ValueError('v')])»",
        "many",
        "in the group: ValueError: v",
    ),
    run("notes in a handler", "ValueError", "e = ValueError('a')\ne.add_note('look here')\n«raise e»", "a\nlook here"),
    run("an import in a handler", "ModuleNotFoundError", "«import nowhere_to_be_found»", "No module named"),
    load(
        "the wrong signature",
        "TypeError",
        "«def on_message_received(event): pass»\n",
        "positional argument",
        when=RUN,
        manifest=EVENTS,
    ),
    run("an exit in a handler", "SystemExit", "import sys\n«sys.exit(3)»", "3"),
    run(
        "a decorated handler",
        "KeyError",
        "«event['nothing']»",
        "'nothing'",
        "in loud.<locals>.inner",
        top="import functools\ndef loud(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\n@loud\n",
    ),
]
MANIFESTS = [
    load(
        "no JSON",
        "manifest",
        {"handler.py": "", "plugin.json": '{"id": "{id}",\n «\'»a": 1}\n'},
        "not valid JSON",
        at=("plugin.json", 1),
    ),
    load(
        "a card without its function",
        "manifest",
        {"handler.py": ""},
        "is not in handler.py",
        severity="warning",
        manifest={"dashboard_cards": [{"id": "c", "handler": "card"}]},
        at=("plugin.json",),
    ),
    load(
        "a slash command without its function",
        "manifest",
        {"handler.py": ""},
        "on_slash_command_x",
        severity="warning",
        manifest={"slash_commands": [{"id": "x"}]},
        at=("plugin.json",),
    ),
]
ROWS = [*SYNTAX, *BYTES, *IMPORTS, *CHAINS, *RUNS, *MANIFESTS]
