// The language server: where it is found, restarts, crashes.
const assert = require("node:assert/strict");
const { chmodSync, mkdirSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { api, config, file, info, run, served, servers, set, state, until, vscode, write } = require("./helpers.cjs");

const running = (how) => until(`running by ${how}`, async () => {
  const { server } = await api();
  return server.state === "running" && server.found.how === how;
});
const connected = () => until("connected", async () => (await info("greeter")) !== undefined);
const select = async (python) => (await vscode.extensions.getExtension("ms-python.python").activate()).select(python);

/** An executable in a folder of its own. */
function script(name, text) {
  const folder = join(config.work, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "evonic-lsp"), text);
  chmodSync(join(folder, "evonic-lsp"), 0o755);
  return folder;
}

module.exports = {
  async "many restarts at once are two at most, and one server is left"() {
    const [before] = servers();
    const states = [];
    const { onDidChange } = await api();
    const listening = onDidChange(async () => states.push((await api()).server.state));
    await Promise.all(Array.from({ length: 8 }, () => run("restartServer")));
    await connected();
    listening.dispose();
    const starts = states.filter((each, i) => each === "starting" && states[i - 1] !== "starting").length;
    assert.ok(starts <= 2, `started ${starts} times`);
    await until("one server", () => servers().length === 1 && servers()[0] !== before);
    await write(file("greeter"), "WORD = 'restarted'\n");
    await until("served", async () => (await served("greeter")) === "restarted");
  },

  async "what is saved while the server starts is loaded as soon as it runs"() {
    await run("refresh");
    const before = (await info("greeter")).generation;
    const known = await api();
    const restart = run("restartServer");
    await until("the server is not there", () => known.server.state === "starting");
    await write(file("greeter"), "WORD = 'at once'\n");
    assert.equal(known.server.state, "starting", "the save came too late for this test");
    await restart;
    await until("served", async () => (await served("greeter")) === "at once");
    await until("one generation more", async () => (await info("greeter"))?.generation === before + 1);
  },

  async "what is saved while there is no server is loaded when there is one"() {
    await run("enablePlugin", "shy");
    const before = (await info("shy")).generation;
    await set("server.path", "/nowhere/evonic-lsp");
    await until("missing", async () => (await api()).server.state === "missing");
    await write(file("shy"), "WORD = 'without a server'\n");
    await set("server.path", undefined);
    await until("served", async () => (await served("shy")) === "without a server");
    await until("one generation more", async () => (await info("shy"))?.generation === before + 1);
  },

  async "a server that crashes is started again"() {
    const [before] = servers();
    process.kill(before, "SIGKILL");
    await until("crashed", async () => (await api()).server.state !== "running");
    await running("interpreter");
    await connected();
    await until("another server", () => servers().length === 1 && servers()[0] !== before);
    await write(file("greeter"), "WORD = 'after the crash'\n");
    await until("served", async () => (await served("greeter")) === "after the crash");
  },

  async "a server that always crashes is given up, and a restart is a new try"() {
    const folder = script("crashing", `#!/bin/sh\nif [ "$1" = --version ]; then echo "evonic-lsp, version 0.1.0"; else exit 7; fi\n`);
    await set("server.path", join(folder, "evonic-lsp"));
    await until("given up", async () => (await api()).server.state === "stopped", 40_000);
    assert.equal((await api()).status.state, "stopped");
    await set("server.path", undefined);
    await running("interpreter");
  },

  async "a server that never answers: another takes its place as soon as it may"() {
    const folder = script("hanging", `#!/bin/sh\nif [ "$1" = --version ]; then echo "evonic-lsp, version 0.1.0"; else cat >/dev/null; fi\n`);
    await set("server.path", join(folder, "evonic-lsp"));
    await until("it hangs", async () => {
      const { server } = await api();
      return server.state === "starting" && server.found?.how === "setting" && servers().length === 1;
    });
    const [hanging] = servers();
    await set("server.path", undefined);
    await running("interpreter");
    await until("it is gone", () => servers().length === 1 && servers()[0] !== hanging);
  },

  async "a path that is set and wrong: no other takes its place, and setting it right is enough"() {
    await set("server.path", "/nowhere/evonic-lsp");
    await until("missing", async () => (await api()).server.state === "missing");
    assert.equal((await api()).status.state, "stopped");
    await until("no server", () => servers().length === 0);
    await set("server.path", config.python);
    await running("setting");
    await set("server.path", undefined);
    await running("interpreter");
  },

  async "another interpreter is selected: the PATH is next, then the copy in the package, which does the same"() {
    const before = process.env.PATH;
    try {
      process.env.PATH = `${script("on-path", `#!/bin/sh\nexec "${config.python}" -m evonic_lsp "$@"\n`)}:${before}`;
      await select(config.plainPython);
      await running("path");
      process.env.PATH = before;
      await run("restartServer");
      await running("bundled");
      const { found } = (await api()).server;
      assert.ok(found.args[0].startsWith(vscode.extensions.getExtension("evonic.evonic-lsp").extensionPath));
      await connected();
      await write(file("greeter"), "WORD = 'by the bundled copy'\n");
      await until("served", async () => (await served("greeter")) === "by the bundled copy");
    } finally {
      process.env.PATH = before;
      await select(config.python);
    }
    await running("interpreter");
  },

  async "modules of the workspace do not take the place of the server's"() {
    for (const name of ["pygls", "click", "types", "evonic_lsp"]) {
      writeFileSync(join(config.root, `${name}.py`), "raise SystemExit('imported from the workspace')\n");
    }
    await run("restartServer");
    await running("interpreter");
    await connected();
  },

  async "another version than the bridge's is seen"() {
    const folder = script("newer", `#!${config.python}\nfrom evonic_lsp.bridge import wire\nwire.VERSION = "9.9.9"\nfrom evonic_lsp.cli import main\nmain(prog_name="evonic-lsp")\n`);
    await set("server.path", join(folder, "evonic-lsp"));
    await running("setting");
    await until("both versions", async () => {
      const { overview } = await api();
      return overview.version === "9.9.9" && overview.hosts[0]?.status?.bridge === "0.1.0";
    });
    await set("server.path", undefined);
    await running("interpreter");
    await state("idle");
  },
};
