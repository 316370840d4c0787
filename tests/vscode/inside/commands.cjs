// The commands, as menus, the view and the palette give them.
const assert = require("node:assert/strict");
const { api, config, emit, file, host, info, open, run, served, state, until, vscode, write } = require("./helpers.cjs");

const MANIFEST = JSON.stringify({ id: "greeter", name: "greeter", version: "1", events: ["message_received"] }, null, 1);

const asked = (plugin) => info(plugin).then(({ outcome }) => outcome?.at ?? 0);

module.exports = {
  async "reload takes a file, an id, a node of the tree, or the active editor's plugin"() {
    await open(file("shy"));
    const ref = { root: (await api()).overview.hosts[0].root, plugin: "greeter" };
    for (const [argument, plugin] of [[file("greeter"), "greeter"], ["greeter", "greeter"], [{ ref }, "greeter"], [undefined, "shy"]]) {
      const before = await asked(plugin);
      await run("reloadPlugin", argument);
      await until(`reloaded by ${JSON.stringify(argument)}`, async () => (await asked(plugin)) > before);
    }
  },

  async "reload all reloads every plugin that is enabled"() {
    const before = await Promise.all(["greeter", "shy", "linked"].map(asked));
    await run("reloadAll");
    const after = await Promise.all(["greeter", "shy", "linked"].map(asked));
    after.forEach((at, i) => assert.ok(at > before[i]));
  },

  async "hot reload is switched off and on, for a plugin and for all"() {
    await run("disablePlugin", "greeter");
    await until("off", async () => !(await info("greeter")).hotreload);
    await run("enablePlugin", "greeter");
    await until("on", async () => (await info("greeter")).hotreload);
    await run("disableAll");
    await until("all off", async () => !(await api()).overview.hosts[0].status.enabled);
    await write(file("greeter"), "WORD = 'unseen'\n");
    await state("idle", "switched off for all");
    await run("enableAll");
    await until("all on", async () => (await api()).overview.hosts[0].status.enabled);
  },

  async "the log of a plugin is shown, and goes on"() {
    const log = () => vscode.workspace.textDocuments.find(({ uri, languageId, getText }) => uri.scheme === "output" && languageId === "log" && getText().includes("Hot reload"))?.getText() ?? "";
    await write(file("greeter"), "WORD = 'logged'\n");
    await state("ok", "greeter");
    await run("showPluginLog", "greeter");
    const before = (await until("the log", log)).split("\n").length;
    await run("reloadPlugin", "greeter");
    await until("one more line", () => log().split("\n").length > before);
  },

  async "the last event is replayed on the new code, once the person has agreed"() {
    const handler = (what) => `WORD = "none"\n\n\ndef on_message_received(event, sdk):\n    global WORD\n    ${what}\n`;
    await write(file("greeter", "plugin.json"), MANIFEST);
    await write(file("greeter"), handler(`WORD = "first"`));
    await until("loaded", async () => (await served("greeter")) === "none");
    await emit();
    await until("handled", async () => (await served("greeter")) === "first");
    await write(file("greeter"), handler(`WORD = "again: " + event["text"]`));
    await until("the new code", async () => (await served("greeter")) === "none");

    await vscode.commands.executeCommand("notifications.clearAll");
    let answer;
    const replay = Promise.resolve(run("replayLastEvent", file("greeter"))).then((given) => (answer = given));
    await until("an answer", async () => {
      await vscode.commands.executeCommand("notification.acceptPrimaryAction");
      return answer;
    });
    assert.deepEqual([answer.plugin, answer.status, answer.event], ["greeter", "done", "message_received"]);
    assert.equal(await served("greeter"), "again: hello");
    await replay;

    await write(file("greeter"), handler(`event["nothing"]`));
    await until("the failing code", async () => (await served("greeter")) === "none");
    assert.equal((await run("replayLastEvent", "greeter")).status, "failed");
    const marked = () => vscode.languages.getDiagnostics(file("greeter")).find(({ code }) => code === "KeyError");
    assert.equal((await until("the error is marked", marked)).range.start.line, 5);
    await write(file("greeter"), handler("pass"));
    await until("gone", () => marked() === undefined);
  },

  async "problems are cleared, and the same error is shown again"() {
    const count = () => vscode.languages.getDiagnostics(file("greeter")).length;
    await write(file("greeter"), "WORD = 1 +\n");
    await until("marked", count);
    await run("clearProblems");
    await until("cleared", () => count() === 0);
    await run("reloadPlugin", "greeter");
    await until("marked again", count);
    await write(file("greeter"), "WORD = 'fixed'\n");
    await until("gone", () => count() === 0);
  },

  async "the host ends: disconnected; it comes back: connected, and what was saved meanwhile is loaded"() {
    await host("stop");
    await state("disconnected");
    await until("the tree says so", async () => (await api()).overview.hosts.every(({ status }) => status === null));
    await write(file("greeter"), "WORD = 'meanwhile'\n");
    await state("disconnected", "");
    await host("start");
    await until("connected", async () => (await api()).overview.hosts.some(({ status }) => status !== null));
    await until("served", async () => (await served("greeter")) === "meanwhile");
    assert.ok(config.root);
  },
};
