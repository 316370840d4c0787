/** The commands of the palette, the menus and the view. Their ids are not the server's: the language client registers
 * those itself, and a second registration of an id fails. */

import * as vscode from "vscode";
import type { Bridge } from "./bridge";
import type { Controller } from "./controller";
import { say } from "./log";
import type { PluginLogs } from "./logs";
import type { Model } from "./model";
import { describe, inert } from "./text";
import { ENDPOINT, type HostEntry, type Ref, type Replayed } from "./types";
import { pluginOf } from "./where";

/** What a command may be given: a node of the tree, a file, a plugin, an id, or nothing. */
type Argument = { ref: Ref } | { entry: HostEntry } | vscode.Uri | Ref | string | undefined;

// How long a line stays in the status bar, in milliseconds.
const READABLE = 10_000;

interface Item extends vscode.QuickPickItem {
  run?: () => unknown;
}

export class Commands {
  constructor(
    private readonly controller: Controller,
    private readonly model: Model,
    private readonly bridge: Bridge,
    private readonly logs: PluginLogs,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  register(): vscode.Disposable[] {
    const plugin = (does: (ref: Ref) => Promise<unknown>) => async (argument: Argument) => {
      const ref = await this.refOf(argument);
      return ref && this.explained(() => does(ref));
    };
    const handlers: Record<string, (argument: Argument) => unknown> = {
      reloadPlugin: plugin((ref) => this.onServer("reload", ref)),
      enablePlugin: plugin((ref) => this.onServer("enable", ref)),
      disablePlugin: plugin((ref) => this.onServer("disable", ref)),
      replayLastEvent: plugin((ref) => this.replay(ref)),
      showPluginLog: plugin((ref) => this.logs.show(ref)),
      reloadAll: () => this.explained(() => this.reloadAll()),
      enableAll: () => this.explained(() => this.execute("enable", "*")),
      disableAll: () => this.explained(() => this.execute("disable", "*")),
      clearProblems: () => this.explained(() => this.execute("clear", "*")),
      refresh: () => this.model.refresh(),
      showStatus: () => this.showStatus(),
      showActions: async (argument) => this.showActions(this.given(argument)),
      showServerLog: () => this.log.show(),
      installBridge: (argument) => this.bridge.install(rootOf(argument)),
      restartServer: () => this.controller.restart(),
      openWalkthrough: () =>
        vscode.commands.executeCommand("workbench.action.openWalkthrough", "evonic.evonic-lsp#start", false),
    };
    return Object.entries(handlers).map(([id, handler]) => vscode.commands.registerCommand(`evonic.${id}`, handler));
  }

  /** The result of a command of the server. */
  execute<T>(command: string, ...args: unknown[]): Promise<T> {
    return this.controller.request<T>("workspace/executeCommand", { command: `evonic.${command}`, arguments: args });
  }

  /** A command for one plugin. An id is enough where no other host has a plugin of that name. */
  async onServer(command: string, ref: Ref): Promise<unknown> {
    const namesakes = this.model.plugins.filter((each) => each.ref.plugin === ref.plugin);
    const host = this.model.find(ref)?.host;
    const byFile = namesakes.length > 1 && host !== undefined && !ref.root.startsWith(ENDPOINT);
    const file = byFile && vscode.Uri.joinPath(vscode.Uri.file(host.pluginsDir), ref.plugin, "plugin.json").toString();
    const result = await this.execute(command, file || ref.plugin);
    await this.model.refresh();
    return result;
  }

  /** The server asks before it does that, and tells what came of it, but for an error: that is a problem like others. */
  private async replay(ref: Ref): Promise<Replayed> {
    const answer = (await this.onServer("replay", ref)) as Replayed;
    if (answer.status === "failed") {
      vscode.window.setStatusBarMessage(`$(error) ${inert(`${ref.plugin}: ${answer.message}`)}`, READABLE);
    }
    return answer;
  }

  private async reloadAll(): Promise<void> {
    const enabled = this.model.plugins.filter(({ info }) => info.enabled);
    await Promise.all(enabled.map(({ ref }) => this.onServer("reload", ref)));
  }

  /** Whoever gives a command is told in front why it could not be done. What a reload finds is no such failure. */
  private async explained(does: () => Promise<unknown>): Promise<unknown> {
    try {
      return await does();
    } catch (error) {
      void say("error", this.log, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** The plugin that an argument names, else that of the active editor. */
  private given(argument: Argument): Ref | undefined {
    if (argument instanceof vscode.Uri) {
      return pluginOf(argument, this.model);
    }
    if (typeof argument === "string") {
      return this.model.plugins.find(({ ref }) => ref.plugin === argument)?.ref;
    }
    if (argument !== undefined && "plugin" in argument) {
      return argument;
    }
    if (argument !== undefined && "ref" in argument) {
      return argument.ref;
    }
    return pluginOf(vscode.window.activeTextEditor?.document.uri, this.model);
  }

  private async refOf(argument: Argument): Promise<Ref | undefined> {
    let ref = this.given(argument);
    if (ref === undefined) {
      await this.model.refresh(); // the plugin may be new
      ref = this.given(argument);
    }
    if (ref !== undefined || typeof argument === "string") {
      return ref ?? { root: "", plugin: argument as string }; // the server says that there is no such plugin
    }
    const items = this.model.plugins.map(({ ref, info, host }) => {
      return { label: inert(info.id), description: inert(describe(info, host)), ref };
    });
    return (await vscode.window.showQuickPick(items, { title: "Evonic", placeHolder: "Which plugin?" }))?.ref;
  }

  /** Every plugin and how it is; choosing one leads to what can be done with it. */
  private async showStatus(): Promise<void> {
    await this.model.refresh();
    const items: (Item & { ref?: Ref })[] = [];
    for (const { root, status, message } of this.model.overview.hosts) {
      const label = status ? `${root} · Evonic ${status.version}` : `${root} · ${message}`;
      items.push({ label: inert(label), kind: vscode.QuickPickItemKind.Separator });
      for (const info of status?.plugins ?? []) {
        const description = status ? inert(describe(info, status)) : "";
        items.push({ label: inert(info.id), description, ref: { root, plugin: info.id } });
      }
    }
    if (items.every(({ ref }) => ref === undefined)) {
      await this.showActions(undefined);
      return;
    }
    const chosen = await vscode.window.showQuickPick(items, { title: "Evonic: Status", matchOnDescription: true });
    if (chosen?.ref) {
      await this.showActions(chosen.ref);
    }
  }

  private async showActions(given: Ref | undefined): Promise<void> {
    const { current } = this.model.overview;
    const ref = [given, current].find((each) => each && this.model.find(each)) ?? undefined;
    const found = ref && this.model.find(ref);
    const items = [...(ref && found ? this.pluginActions(ref, found.info.hotreload) : []), ...this.hostActions()];
    const title = ref && found ? `Evonic: ${ref.plugin} · ${describe(found.info, found.host)}` : "Evonic";
    const chosen = await vscode.window.showQuickPick(items, { title });
    await chosen?.run?.();
  }

  private pluginActions(ref: Ref, hot: boolean): Item[] {
    const name = inert(ref.plugin);
    const action = (label: string, command: string): Item => {
      return { label, run: () => vscode.commands.executeCommand(`evonic.${command}`, ref) };
    };
    return [
      action(`$(refresh) Reload ${name}`, "reloadPlugin"),
      hot
        ? action(`$(circle-slash) Disable Hot Reload for ${name}`, "disablePlugin")
        : action(`$(zap) Enable Hot Reload for ${name}`, "enablePlugin"),
      action(`$(debug-rerun) Replay Last Event of ${name}`, "replayLastEvent"),
      action(`$(output) Show Log of ${name}`, "showPluginLog"),
      { label: "", kind: vscode.QuickPickItemKind.Separator },
    ];
  }

  private hostActions(): Item[] {
    const action = (label: string, command: string): Item => {
      return { label, run: () => vscode.commands.executeCommand(`evonic.${command}`) };
    };
    const connected = this.model.hosts.length > 0;
    const on = this.model.hosts.some(({ status }) => status.enabled);
    return [
      ...(connected ? [action("$(refresh) Reload All Plugins", "reloadAll")] : []),
      ...(connected && on ? [action("$(circle-slash) Disable Hot Reload", "disableAll")] : []),
      ...(connected && !on ? [action("$(zap) Enable Hot Reload", "enableAll")] : []),
      ...(connected ? [action("$(list-unordered) Show Status of All Plugins", "showStatus")] : []),
      action("$(cloud-download) Install Bridge into Evonic", "installBridge"),
      action("$(output) Show Server Log", "showServerLog"),
      action("$(debug-restart) Restart Server", "restartServer"),
    ];
  }
}

function rootOf(argument: Argument): string | undefined {
  const root = typeof argument === "object" && "entry" in argument ? argument.entry.root : undefined;
  return root?.startsWith(ENDPOINT) ? undefined : root;
}
