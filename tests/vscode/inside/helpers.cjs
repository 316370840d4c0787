// What the tests share: the extension's own account of itself, files, and waiting for conditions.
const { existsSync, readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const vscode = require("vscode");

const config = JSON.parse(process.env.EVONIC_TEST);
const ID = "evonic.evonic-lsp";

async function api() {
  return vscode.extensions.getExtension(ID).activate();
}

/** What `holds()` returns once it is true. Looks again when anything may have changed it. */
async function until(what, holds, limit = 20_000) {
  const events = [(await api()).onDidChange, vscode.languages.onDidChangeDiagnostics, vscode.workspace.onDidOpenTextDocument,
    vscode.workspace.onDidChangeTextDocument, vscode.window.onDidChangeActiveTextEditor];
  return new Promise((resolve, reject) => {
    let looking = false;
    const look = async () => {
      if (looking) return;
      looking = true;
      try {
        const value = await holds();
        if (value) finish(resolve, value);
      } catch (error) {
        finish(reject, error);
      }
      looking = false;
    };
    const finish = (settle, value) => {
      clearInterval(clock);
      clearTimeout(timer);
      subscriptions.forEach((each) => each.dispose());
      settle(value);
    };
    const subscriptions = events.map((event) => event(look));
    const clock = setInterval(look, 50); // processes and files have no event
    const timer = setTimeout(async () => {
      const { status, server, overview } = await api();
      finish(reject, new Error(`timed out: ${what}\n${JSON.stringify({ status, server, overview }, null, 1).slice(0, 3000)}\nservers: ${servers()}`));
    }, limit);
    void look();
  });
}

const file = (plugin, name = "handler.py") => vscode.Uri.file(join(config.root, "plugins", plugin, name));

async function open(uri) {
  return vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
}

/** Replaces the whole text of a file and saves it. */
async function write(uri, text) {
  if (!existsSync(uri.fsPath)) writeFileSync(uri.fsPath, "");
  const editor = await open(uri);
  const everything = new vscode.Range(0, 0, editor.document.lineCount, 0);
  await editor.edit((edit) => edit.replace(everything, text));
  if (!(await editor.document.save())) throw new Error("the file was not saved");
}

/** The plugin as the extension knows it. */
async function info(plugin) {
  const { overview } = await api();
  return overview.hosts.flatMap(({ status }) => status?.plugins ?? []).find(({ id }) => id === plugin);
}

async function state(wanted, says = "") {
  return until(`the status ${wanted} ${says}`, async () => {
    const { status } = await api();
    return status.state === wanted && `${status.text} ${status.tooltip}`.includes(says) && status;
  });
}

async function set(key, value) {
  await vscode.workspace.getConfiguration("evonic").update(key, value, vscode.ConfigurationTarget.Global);
}

/** What the host serves for the plugin at this moment. */
async function served(plugin, path = "") {
  const port = await (await fetch(`${config.control}/port`, { method: "POST" })).text();
  return (await fetch(`http://127.0.0.1:${port}/plugin/${plugin}/${path}`)).text();
}

/** Has the host send an event to its plugins. */
const emit = () => served("greeter", "emit");

/** The language servers that are children of this extension host. */
function servers() {
  const found = [];
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ")[1]);
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      if (parent === process.pid && line.includes("serve") && line.includes("--stdio")) found.push(Number(pid));
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

const run = (command, ...args) => vscode.commands.executeCommand(`evonic.${command}`, ...args);
const host = (what) => fetch(`${config.control}/${what}`, { method: "POST" });

module.exports = { api, config, emit, file, host, ID, info, open, run, served, servers, set, state, until, vscode, write };
