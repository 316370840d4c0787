// What the extension's own manifest promises is there; and what is known of a plugin's.
const assert = require("node:assert/strict");
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { api, file, ID, open, until, vscode, write } = require("./helpers.cjs");

const extension = () => vscode.extensions.getExtension(ID);
const contributes = () => extension().packageJSON.contributes;
const ours = (text) => [...text.matchAll(/\bevonic\.(\w+)/g)].map(([, name]) => name);

/** The place right after `text` in a document. */
function after(document, text) {
  const at = document.getText().indexOf(text);
  assert.ok(at >= 0, text);
  return document.positionAt(at + text.length);
}

module.exports = {
  async "every entry of every menu is a command of this extension, and each can be reached"() {
    const commands = new Set(contributes().commands.map(({ command }) => command));
    const entries = Object.values(contributes().menus).flat();
    assert.ok(entries.length > 20, "there are menus");
    for (const { command } of entries) assert.ok(commands.has(command), command);
    const inline = contributes().menus["view/item/context"].filter(({ group }) => group.startsWith("inline"));
    for (const name of ["reloadPlugin", "enablePlugin", "disablePlugin", "replayLastEvent", "showPluginLog"]) {
      assert.ok(inline.some(({ command }) => command === `evonic.${name}`), `${name} in the view`);
    }
  },

  async "each step of the walkthrough has its picture in the package, and its links are commands"() {
    await until("activation", () => extension().isActive);
    const known = new Set(await vscode.commands.getCommands(true));
    const [{ steps }] = contributes().walkthroughs;
    assert.ok(steps.length >= 5);
    for (const { id, description, media, completionEvents } of steps) {
      const picture = join(extension().extensionPath, media.image);
      assert.ok(existsSync(picture), picture);
      assert.equal(readFileSync(picture).subarray(1, 4).toString(), "PNG", picture);
      assert.ok(media.altText, id);
      const links = [...description.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command);
      const done = completionEvents.map((event) => /^onCommand:(.*)/.exec(event)?.[1]).filter(Boolean);
      for (const command of [...links, ...done]) assert.ok(known.has(command), `${command} in the step ${id}`);
    }
  },

  async "the links of the welcome views are commands"() {
    const known = new Set(await vscode.commands.getCommands(true));
    const links = contributes().viewsWelcome.flatMap(({ contents }) => [...contents.matchAll(/\(command:([\w.]+)/g)]);
    assert.ok(links.length >= 6);
    for (const [, command] of links) assert.ok(known.has(command), command);
  },

  async "every context key that the manifest asks for is one that the extension sets"() {
    const { commands, menus, views, viewsWelcome, walkthroughs } = contributes();
    const conditions = [
      ...commands.map(({ enablement }) => enablement),
      ...[...Object.values(menus).flat(), ...Object.values(views).flat(), ...viewsWelcome].map(({ when }) => when),
      ...walkthroughs[0].steps.flatMap(({ completionEvents }) => completionEvents.filter((each) => each.startsWith("onContext:"))),
    ].filter(Boolean);
    const keys = new Set(conditions.flatMap(ours));
    keys.delete("plugins"); // the view
    const code = readFileSync(join(extension().extensionPath, "dist/extension.js"), "utf8");
    for (const key of keys) assert.ok(code.includes(`("${key}",`), `nothing sets evonic.${key}`);
    assert.ok(keys.has("connected") && keys.has("inPlugin") && keys.has("hotFolders"));
  },

  async "a workspace that is not trusted is refused, with the reason"() {
    const { untrustedWorkspaces, virtualWorkspaces } = extension().packageJSON.capabilities;
    assert.equal(untrustedWorkspaces.supported, false);
    assert.match(untrustedWorkspaces.description, /execute its Python code/);
    assert.equal(virtualWorkspaces.supported, false);
  },

  async "a workspace says neither where the server and the host are, nor who is asked"() {
    const shown = { "server.path": "/workspace/evonic-lsp", endpoint: "tcp:192.0.2.1:80", optIn: "always" };
    const settings = () => vscode.workspace.getConfiguration("evonic");
    for (const [key, value] of Object.entries(shown)) {
      const before = settings().get(key);
      await assert.rejects(settings().update(key, value, vscode.ConfigurationTarget.Workspace), /workspace settings/i, key);
      assert.equal(settings().get(key), before, key);
    }
    const file = vscode.workspace.workspaceFile.fsPath; // as a repository would bring it
    const workspace = readFileSync(file, "utf8");
    const brought = Object.fromEntries(Object.entries(shown).map(([key, value]) => [`evonic.${key}`, value]));
    try {
      writeFileSync(file, JSON.stringify({ ...JSON.parse(workspace), settings: { ...brought, "evonic.debounce": 51 } }));
      await until("the workspace's settings count", () => settings().get("debounce") === 51);
      for (const [key, value] of Object.entries(shown)) assert.notEqual(settings().get(key), value, key);
    } finally {
      writeFileSync(file, workspace);
    }
    await until("as before", () => settings().get("debounce") === 50);
  },

  async "plugin.json: hover, completion and what is wrong with it"() {
    await until("the server", async () => (await api()).server.state === "running");
    const uri = file("shy", "plugin.json");
    const good = (await open(uri)).document.getText();
    const events = good.replace(/"events": \[\s*\]/, `"events": ["message_received", ""]`);
    assert.notEqual(events, good);
    try {
      await write(uri, events);
      const { document } = await open(uri);
      const hover = async (text) => {
        const found = await vscode.commands.executeCommand("vscode.executeHoverProvider", uri, after(document, text));
        return found.flatMap(({ contents }) => contents.map(({ value }) => value)).join("\n");
      };
      await until("what an event carries", async () => (await hover(`"message_rec`)).includes("agent_id"));
      await until("what a key means", async () => (await hover(`"even`)).includes("on_<event>"));
      const offered = async () => {
        const at = after(document, `"message_received", "`);
        const { items } = await vscode.commands.executeCommand("vscode.executeCompletionItemProvider", uri, at);
        return items.map(({ label }) => label.label ?? label);
      };
      await until("other events are offered", async () => (await offered()).includes("summary_updated"));
      assert.ok(!(await offered()).includes("message_received"), "one that is there is not offered again");
      await write(uri, good.replace(/"events": \[\s*\]/, `"events": 3`));
      const wrong = () => vscode.languages.getDiagnostics(uri).filter(({ source }) => source === "evonic");
      await until("the schema", () => wrong().some(({ message, range }) => message && document.getText(range) === "3"));
      await write(uri, good);
      await until("gone", () => wrong().length === 0);
    } finally {
      await write(uri, good);
    }
  },
};
