// Activation, and what a save does.
const assert = require("node:assert/strict");
const { api, config, file, ID, info, open, served, servers, set, state, until, vscode, write } = require("./helpers.cjs");

const GOOD = (word) => `WORD = "${word}"\n\n\ndef on_message_received(event, sdk):\n    sdk.log(WORD)\n`;

module.exports = {
  async "the packaged extension activates by itself, with the selected interpreter's server"() {
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(!extension.extensionPath.startsWith(config.project), extension.extensionPath);
    await until("activation", () => extension.isActive);
    await until("the server", async () => (await api()).server.state === "running");
    assert.equal((await api()).server.found.how, "interpreter");
    await state("idle");
    assert.equal(servers().length, 1);
  },

  async "every command of the manifest is registered, and the server's own as well"() {
    const known = new Set(await vscode.commands.getCommands(true));
    const { commands } = vscode.extensions.getExtension(ID).packageJSON.contributes;
    for (const id of [...commands.map(({ command }) => command), "evonic.reload", "evonic.enable", "evonic.status"]) {
      assert.ok(known.has(id), id);
    }
  },

  async "a save of a plugin that is enabled serves the new code"() {
    await vscode.commands.executeCommand("evonic.enablePlugin", "greeter");
    await until("hot reload", async () => (await info("greeter")).hotreload);
    const before = (await info("greeter")).generation;
    await write(file("greeter"), GOOD("one"));
    await until("the generation", async () => (await info("greeter")).generation === before + 1);
    const status = await state("ok", "greeter");
    assert.match(status.text, /^\$\(check\) Evonic: greeter ok in \d+ ms$/);
    assert.equal(await served("greeter"), "one");
    assert.deepEqual((await api()).active?.plugin, "greeter");
  },

  async "an error is marked where it is, the old code serves, and the fix clears it"() {
    const before = (await info("greeter")).generation;
    await write(file("greeter"), GOOD("two") + "boom()\n");
    const errors = () => vscode.languages.getDiagnostics(file("greeter"))
      .filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
    const [found] = await until("an error", () => errors().length && errors());
    assert.deepEqual([found.source, found.code, found.range.start.line], ["evonic", "NameError", 5]);
    const status = await state("failed", "greeter");
    assert.equal(status.error, true);
    assert.equal(await served("greeter"), "one");
    const failing = await until("the tree", async () => (await info("greeter")).outcome.problems.length && info("greeter"));
    assert.equal(failing.generation, before);
    assert.equal(failing.outcome.problems[0].code, "NameError");
    await write(file("greeter"), GOOD("two"));
    await until("no error", () => errors().length === 0);
    await state("ok", "greeter");
    assert.equal(await served("greeter"), "two");
    await until("the generation", async () => (await info("greeter")).generation === before + 1);
  },

  async "an error in another file than the saved one goes to that file"() {
    await write(file("greeter", "words.py"), "TEXT = 'x'\n");
    await write(file("greeter"), "from . import words\n" + GOOD("three"));
    await state("ok", "greeter");
    const editor = await open(file("greeter", "words.py"));
    await vscode.commands.executeCommand("workbench.action.closeActiveEditor");
    await write(file("greeter", "words.py"), "raise ValueError('no words')\n");
    await open(file("greeter"));
    await until("there", () => vscode.languages.getDiagnostics(editor.document.uri).some(({ code }) => code === "ValueError"));
    await write(file("greeter", "words.py"), "TEXT = 'y'\n");
    await until("gone", () => vscode.languages.getDiagnostics(editor.document.uri).length === 0);
  },

  async "reloadOnSave is live"() {
    await set("reloadOnSave", false);
    const before = (await info("greeter")).generation;
    await write(file("greeter"), GOOD("four"));
    // What follows a save on the same wire has seen that the save did nothing.
    await vscode.commands.executeCommand("evonic.refresh");
    assert.equal((await info("greeter")).generation, before);
    assert.equal(vscode.workspace.textDocuments.some((each) => each.isDirty), false);
    await set("reloadOnSave", undefined);
    await write(file("greeter"), GOOD("five"));
    await until("reloaded", async () => (await served("greeter")) === "five");
  },

  async "optIn always enables at the first save, and never does not"() {
    await set("optIn", "never");
    await write(file("shy"), GOOD("six"));
    await state("idle", "not switched on");
    assert.equal((await info("shy")).hotreload, false);
    await set("optIn", "always");
    await write(file("shy"), GOOD("seven"));
    await until("enabled", async () => (await info("shy")).hotreload);
    await until("reloaded", async () => (await served("shy")) === "seven");
    await set("optIn", undefined);
  },

  async "a plugin's source in another folder of the workspace is the plugin, and there is one server"() {
    await vscode.commands.executeCommand("evonic.enablePlugin", "linked");
    const source = vscode.Uri.joinPath(vscode.Uri.file(config.elsewhere), "handler.py");
    await write(source, GOOD("eight"));
    await state("ok", "linked");
    assert.equal(await served("linked"), "eight");
    assert.equal((await api()).active.plugin, "linked");
    await write(source, "boom()\n");
    await until("marked in the file that is open", () => vscode.languages.getDiagnostics(source).length === 1);
    await write(source, GOOD("nine"));
    await until("cleared", () => vscode.languages.getDiagnostics(source).length === 0);
    assert.equal(servers().length, 1);
  },
};
