"""The language server as a process: messages of an editor in an order that is none, and answers that are none."""

from __future__ import annotations

import json

import pytest
from faults.raw import Editor, framed, message, saved

from evonic_lsp.bridge import wire

EXECUTE = "workspace/executeCommand"
CONFIGURATION, REGISTER, QUESTION = (
    "workspace/configuration", "client/registerCapability", "window/showMessageRequest"
)  # fmt: skip
PROGRESS, LENSES = "window/workDoneProgress/create", "workspace/codeLens/refresh"
CAN_ALL = {
    "window": {"workDoneProgress": True, "showMessage": {}},
    "textDocument": {"synchronization": {"dynamicRegistration": True}},
    "workspace": {
        "configuration": True,
        "didChangeWatchedFiles": {"dynamicRegistration": True},
        "codeLens": {"refreshSupport": True},
    },
}


@pytest.fixture
def editor(evonic, runtime_dir):
    """editor(**options) -> a raw editor on a fake host that runs."""
    made: list[Editor] = []

    def make(**options):
        made.append(Editor(evonic.root, **options))
        return made[-1]

    evonic.start()
    yield make
    for each in made:
        if each.process.poll() is None:
            assert each.end() == 0
    assert not list(runtime_dir.glob("bell-*"))


def answered(number):
    return lambda each: each.get("id") == number and "method" not in each


def opened(path):
    document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": "x = 1\n"}
    return message("textDocument/didOpen", {"textDocument": document})


def changed(path):
    document = {"uri": path.as_uri(), "version": 2}
    return message("textDocument/didChange", {"textDocument": document, "contentChanges": [{"text": "x = 2\n"}]})


# ── Orders ──


def test_before_it_was_greeted(editor, evonic):
    """What comes too early is refused or dropped, and then everything is as it should be."""
    raw, file = editor(begins=False), evonic.folder / "handler.py"
    early = [message("initialized"), saved(file), opened(file), changed(file)]
    raw.send(*early, message(EXECUTE, {"command": "evonic.status"}, 5))
    assert "not initialized" in raw.until(answered(5))["error"]["message"]
    raw.send(raw.initialize)
    assert "result" in raw.until(answered(1))
    raw.send(saved(file), changed(file), message(EXECUTE, {"command": "evonic.status"}, 6))
    assert "not initialized" in raw.until(answered(6))["error"]["message"]
    assert evonic.reloads() == []
    raw.send(message("initialized"), opened(file), saved(file))
    raw.state("ok")
    assert evonic.reloads() == [("p", wire.SAVE)]


def test_greeted_twice_it_is_one_server(editor, evonic, runtime_dir):
    raw = editor()
    raw.send(message("initialized") * 3)
    raw.state("idle", None)
    raw.serves()
    assert len(list(runtime_dir.glob("bell-*"))) == 1
    raw.send(saved(evonic.folder / "handler.py"))
    raw.state("ok")
    raw.serves(78)
    assert len([each for each in raw.asked("evonic/status") if each["params"]["state"] == "ok"]) == 1


def test_a_document_that_is_changed_before_it_is_opened_and_closed_without(editor, evonic):
    raw, file = editor(), evonic.folder / "handler.py"
    close = message("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
    raw.send(
        changed(file), close, close, changed(file), opened(file), opened(file), changed(file), close, changed(file)
    )
    raw.serves()
    raw.send(opened(file), saved(file))
    raw.state("ok")


@pytest.mark.parametrize("order", ["exit", "shutdown twice", "no shutdown", "saves between"])
def test_after_shutdown_nothing_is_done_and_exit_ends_it(editor, evonic, order):
    raw, file = editor(), evonic.folder / "handler.py"
    raw.state("idle", None)
    if order != "no shutdown":
        raw.send(message("shutdown", None, 9))
        assert "result" in raw.until(answered(9))
    if order == "shutdown twice":
        raw.send(message("shutdown", None, 10))
    if order == "saves between":
        early = [saved(file), changed(file), opened(file), message(EXECUTE, {"command": "evonic.reload"}, 11)]
        raw.send(*early, raw.initialize, message("initialized"))
    raw.send(message("exit"))
    status, said = raw.ended()
    assert status == 0, said
    assert "Traceback" not in said
    assert evonic.reloads() == []


# ── Answers ──


def result(value):
    return lambda number: framed(json.dumps({"jsonrpc": "2.0", "id": number, "result": value}).encode())


def error(body):
    return lambda number: framed(json.dumps({"jsonrpc": "2.0", "id": number, "error": body}).encode())


ANSWERS = {
    "never": lambda number: b"",
    "null": result(None),
    "an empty list": result([]),
    "a number": result(3),
    "a list of lists": result([[["x"]]]),
    "an object": result({"title": ["?"], "evonic": 3}),
    "a list of null": result([None, None]),
    "an error": error({"code": -32601, "message": "no such method"}),
    "an error that is none": error(3),
    "another id": lambda number: result([{"debounce": 0}])("no such"),
    "twice": lambda number: result(None)(number) + error({"code": 1, "message": "x"})(number) + result([])(number),
    "both": lambda number: framed(
        json.dumps({"jsonrpc": "2.0", "id": number, "result": [], "error": {"code": 1, "message": "x"}}).encode()
    ),
    "nothing": lambda number: framed(json.dumps({"jsonrpc": "2.0", "id": number}).encode()),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_whatever_the_editor_answers_files_are_watched_and_saves_served(editor, evonic, answer):
    """The same answer to every request of the server. Each of them is asked, whatever became of those before it."""
    answers = dict.fromkeys([CONFIGURATION, REGISTER, PROGRESS, LENSES], answer)
    raw, file = editor(capabilities=CAN_ALL, answers=answers), evonic.folder / "handler.py"
    raw.until(lambda each: each.get("method") == CONFIGURATION)
    for name in ("evonic-files", "evonic-manifests"):
        raw.until(
            lambda each, name=name: each.get("method") == REGISTER
            and each["params"]["registrations"][0]["id"] == name
        )  # fmt: skip
    raw.state("idle", None)
    for number, send in enumerate([saved(file), watched(file), saved(file)]):
        raw.got.clear()
        raw.send(send)
        raw.state("ok")
        raw.serves(50 + number)
    raw.got.clear()
    raw.send(message("workspace/didChangeConfiguration", {"settings": None}))
    raw.until(lambda each: each.get("method") == CONFIGURATION)
    raw.serves()


def watched(path):
    return message("workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": 2}]})


def test_settings_that_are_told_late_and_twice_count_when_they_come(editor, evonic):
    raw, file = editor(capabilities=CAN_ALL), evonic.folder / "handler.py"
    asked = raw.until(lambda each: each.get("method") == CONFIGURATION)
    raw.state("idle", None)
    raw.send(saved(file))
    raw.state("ok")
    off = result([{"reloadOnSave": False}])(asked["id"])
    raw.send(off, result([{"reloadOnSave": True}])(asked["id"]))  # the second one answers nothing
    raw.send(saved(file))
    raw.serves()
    raw.send(message(EXECUTE, {"command": "evonic.reload", "arguments": ["p"]}, 60))
    raw.until(answered(60))
    assert evonic.reloads() == [("p", wire.SAVE), ("p", wire.MANUAL)]


ENABLE = result({"title": "Enable"})
CONSENTS = {
    **{name: (answer, 0) for name, answer in ANSWERS.items()},
    "another title": (result({"title": "Whatever"}), 0),
    "yes": (ENABLE, 1),
    "yes, twice": (lambda number: ENABLE(number) * 2, 1),
    "yes, and an error": (lambda number: ENABLE(number) + error({"code": 1, "message": "x"})(number), 1),
    "never, and then yes": (lambda number: result({"title": "Not now"})(number) + ENABLE(number), 0),
}


@pytest.mark.parametrize(("answer", "consents"), CONSENTS.values(), ids=CONSENTS)
def test_only_a_yes_is_a_consent_and_it_is_one(editor, evonic, answer, consents):
    folder = evonic.plugin("q", hotreload=False, decided=False)
    raw = editor(capabilities={"window": {"showMessage": {}}}, answers={QUESTION: answer})
    raw.state("idle", None)
    raw.send(saved(folder / "handler.py"))
    raw.until(lambda each: each.get("method") == QUESTION)
    if consents:
        raw.state("ok", "q")
    for number in range(3):
        raw.send(saved(folder / "handler.py"))
        raw.serves(90 + number)
    asked = [method for method, _ in evonic.requests if method == "hotreload/enable"]
    assert (len(asked), len(raw.asked(QUESTION))) == (consents, 1)
    assert evonic.plugins["q"].hotreload == bool(consents)


def test_a_consent_that_comes_late_counts(editor, evonic):
    folder = evonic.plugin("q", hotreload=False, decided=False)
    raw = editor(capabilities={"window": {"showMessage": {}}})
    raw.state("idle", None)
    raw.send(saved(folder / "handler.py"))
    asked = raw.until(lambda each: each.get("method") == QUESTION)
    raw.send(saved(evonic.folder / "handler.py"))
    raw.state("ok")
    raw.send(ENABLE(asked["id"]))
    raw.state("ok", "q")
