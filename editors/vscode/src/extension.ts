/** Wires the parts together. What other extensions get is an {@link Api}. */

import * as vscode from "vscode";
import { Bridge } from "./bridge";
import { Commands } from "./commands";
import { setContext, updateContexts } from "./contexts";
import { Controller, type ServerState } from "./controller";
import { hasPythonExtension, watchInterpreter, type Found, type Server } from "./find";
import { say } from "./log";
import { PluginLogs } from "./logs";
import { Model } from "./model";
import { FileStatus, StatusItem, look, type Look } from "./statusItem";
import { Tree } from "./tree";
import type { LogEntry, Overview, Ref, StatusParams } from "./types";
import { concernsEvonic, pluginOf } from "./where";

/** What `activate` returns: what this extension knows, for other extensions. */
export interface Api {
  readonly server: { state: ServerState; found: Server | undefined };
  readonly status: Look;
  readonly overview: Overview;
  /** The plugin of the active editor. */
  readonly active: Ref | undefined;
  readonly onDidChange: vscode.Event<void>;
}

class Extension {
  readonly log = vscode.window.createOutputChannel("Evonic", { log: true });
  readonly controller: Controller;
  readonly model: Model;
  readonly commands: Commands;
  private readonly logs: PluginLogs;
  private readonly bridge: Bridge;
  private readonly statusItem = new StatusItem();
  private readonly fileStatus = new FileStatus();
  private readonly changes = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changes.event;

  constructor(context: vscode.ExtensionContext) {
    const folder = context.extensionPath;
    this.controller = new Controller(folder, this.log, {
      changed: () => this.serverChanged(),
      starting: (client) => {
        client.onNotification("evonic/status", (status: StatusParams) => this.model.notice(status));
        client.onNotification("evonic/log", ({ root, ...entry }: LogEntry & { root: string }) =>
          this.logs.add(root, entry),
        );
      },
      missing: (found) => void this.missing(found),
      crashed: (givenUp) => void this.crashed(givenUp),
    });
    this.model = new Model(() => this.commands.execute<Overview>("status", "*"));
    this.logs = new PluginLogs(async (ref) => {
      return ((await this.commands.onServer("logs", ref)) as { entries: LogEntry[] }).entries;
    });
    this.bridge = new Bridge(folder, this.controller, this.model, this.log);
    this.commands = new Commands(this.controller, this.model, this.bridge, this.logs, this.log);
    const view = vscode.window.createTreeView("evonic.plugins", { treeDataProvider: new Tree(this.model) });
    context.subscriptions.push(
      this.log, this.controller, this.model, this.logs, this.statusItem, this.fileStatus, this.changes, view,
      ...this.commands.register(),
      this.model.onDidChange(() => this.show()),
      vscode.window.onDidChangeActiveTextEditor(() => this.show()),
      vscode.workspace.onDidChangeConfiguration((event) => this.configured(event)),
    );
  }

  get active(): Ref | undefined {
    return pluginOf(vscode.window.activeTextEditor?.document.uri, this.model);
  }

  /** Starts the server, once, and shows that this extension is there. */
  async start(): Promise<void> {
    if (this.started) {
      return; // two reasons to start may come at once
    }
    setContext("active", true);
    await this.controller.restart();
  }

  get started(): boolean {
    return this.controller.state !== "off";
  }

  private show(): void {
    const { active } = this;
    updateContexts(this.controller, this.model, active);
    if (this.started) {
      this.statusItem.update(look(this.controller, this.model), this.model);
      this.fileStatus.update(active, this.model);
    }
    this.bridge.check();
    this.changes.fire();
  }

  private serverChanged(): void {
    if (this.controller.state === "running") {
      this.show();
      void this.model.refresh();
    } else {
      this.model.reset(); // which shows it
    }
  }

  private configured(event: vscode.ConfigurationChangeEvent): void {
    if (!event.affectsConfiguration("evonic") || !this.started) {
      return;
    }
    void (event.affectsConfiguration("evonic.server.path") ? this.controller.restart() : this.controller.configure());
  }

  private async missing({ attempts }: Found): Promise<void> {
    const tooOld = attempts.map(({ why }) => why).find((why) => why.includes("needs 3."));
    const given = vscode.workspace.getConfiguration("evonic.server").get<string>("path");
    const why = attempts.at(0)?.why ?? "";
    const message = given
      ? `evonic.server.path, ${given}, is no evonic-lsp: ${why}.`
      : `The Evonic language server needs a Python of version 3.10 or newer. ${tooOld ?? "None was found"}.`;
    const select = hasPythonExtension() && !given ? ["Select Interpreter"] : [];
    const answer = await say("error", this.log, message, ...select, "Open Settings", "Try Again");
    if (answer === "Select Interpreter") {
      await vscode.commands.executeCommand("python.setInterpreter");
    } else if (answer === "Open Settings") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "evonic.server.path");
    } else if (answer === "Try Again") {
      await this.controller.restart();
    }
  }

  private async crashed(givenUp: boolean): Promise<void> {
    const message = givenUp
      ? "The Evonic language server ends each time it is started."
      : "The Evonic language server has ended unexpectedly. It is being started again.";
    const answer = await say(givenUp ? "error" : "warning", this.log, message, ...(givenUp ? ["Restart Server"] : []));
    if (answer) {
      await this.controller.restart();
    }
  }
}

let extension: Extension | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const own = (extension = new Extension(context));
  const startIfConcerned = async (): Promise<void> => {
    if (!own.started && (await concernsEvonic())) {
      void own.start();
    }
  };
  // A plugin may be made, or its folder added, later.
  const manifests = vscode.workspace.createFileSystemWatcher("**/plugin.json", false, true, true);
  context.subscriptions.push(
    manifests,
    manifests.onDidCreate(startIfConcerned),
    vscode.workspace.onDidChangeWorkspaceFolders(startIfConcerned),
    vscode.workspace.onDidChangeConfiguration((event) => event.affectsConfiguration("evonic") && startIfConcerned()),
    await watchInterpreter(() => {
      if (own.started && own.controller.server?.how !== "setting") {
        void own.controller.restart();
      }
    }),
  );
  await startIfConcerned();
  return {
    get server() {
      return { state: own.controller.state, found: own.controller.server };
    },
    get status() {
      return look(own.controller, own.model);
    },
    get overview() {
      return own.model.overview;
    },
    get active() {
      return own.active;
    },
    onDidChange: own.onDidChange,
  };
}

export async function deactivate(): Promise<void> {
  await extension?.controller.close();
}
